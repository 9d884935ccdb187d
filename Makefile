# The two commands of the README are `make demo` and `make test`; each does all the set-up on a Debian 12 with Swift 6.3.

.PHONY: demo test kill lives build release packages clean

## demo: builds, and shows a mail server followed live, a folder emptied, and the mailbox brought back
demo: packages
	@swift run -c release --quiet Demo

## test: builds without a warning, and passes all tests
test: packages
	Scripts/build-without-warnings
	swift test --skip-build

## kill: kills the service 100 times under load, and compares what is left with the server
kill: build
	ZXBACKUP_KILLS=100 swift test --filter KillTests

## lives: N seeded lives of a server (1,000 by default), each restored as of random moments and compared
N ?= 1000
lives: packages
	@swift run -c release --quiet Lives $(N)

## build: debug build
build: packages
	swift build

## release: optimised build
release: packages
	swift build -c release --product zxbackup

## packages: the Debian packages that the build needs
packages:
	@Scripts/install-packages

clean:
	swift package clean
