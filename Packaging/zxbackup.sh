#!/bin/sh
# Starts zxbackup with the libraries that came with it, the C library among them: those of the machine may be older.
here=$(dirname "$(readlink -f "$0")")/..
export GCONV_PATH="$here/lib/gconv"
exec "$here/lib/ld-linux.so" --inhibit-cache --argv0 zxbackup --library-path "$here/lib" "$here/libexec/zxbackup" "$@"
