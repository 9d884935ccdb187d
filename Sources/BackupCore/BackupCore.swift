// BackupCore
