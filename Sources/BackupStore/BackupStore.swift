// BackupStore
