// RedoLog
