import GRDB

/// The tables of the server, in one SQLite file: the real server's names and columns (formats/zimbra-datastore.md, sections 3 and 4),
/// with `mailbox_id` first in every table that a mailbox group has there, and the directory beside them.
enum Schema {
    /// The columns that `mail_item` and `mail_item_dumpster` share.
    private static let itemColumns = """
        mailbox_id INTEGER NOT NULL, id INTEGER NOT NULL, type INTEGER NOT NULL, parent_id INTEGER, folder_id INTEGER,
        prev_folders TEXT, index_id INTEGER, imap_id INTEGER, date INTEGER NOT NULL, size INTEGER NOT NULL, locator TEXT,
        blob_digest TEXT, unread INTEGER, flags INTEGER NOT NULL DEFAULT 0, tags INTEGER NOT NULL DEFAULT 0, tag_names BLOB,
        sender TEXT, recipients TEXT, subject TEXT, name TEXT, metadata TEXT, mod_metadata INTEGER NOT NULL,
        change_date INTEGER, mod_content INTEGER NOT NULL, uuid TEXT, PRIMARY KEY (mailbox_id, id)
        """

    private static let revisionColumns = """
        mailbox_id INTEGER NOT NULL, item_id INTEGER NOT NULL, version INTEGER NOT NULL, date INTEGER NOT NULL,
        size INTEGER NOT NULL, locator TEXT, blob_digest TEXT, name TEXT, metadata TEXT, mod_metadata INTEGER NOT NULL,
        change_date INTEGER, mod_content INTEGER NOT NULL, PRIMARY KEY (mailbox_id, item_id, version)
        """

    private static let appointmentColumns = """
        mailbox_id INTEGER NOT NULL, uid TEXT NOT NULL, item_id INTEGER NOT NULL, start_time TEXT NOT NULL, end_time TEXT,
        PRIMARY KEY (mailbox_id, uid)
        """

    private static let statements = """
        CREATE TABLE volume (
            id INTEGER PRIMARY KEY, type INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE,
            file_bits INTEGER NOT NULL, file_group_bits INTEGER NOT NULL, mailbox_bits INTEGER NOT NULL,
            mailbox_group_bits INTEGER NOT NULL, compress_blobs INTEGER NOT NULL, compression_threshold INTEGER NOT NULL,
            metadata TEXT, store_type INTEGER NOT NULL DEFAULT 1,
            store_manager_class TEXT DEFAULT 'com.zimbra.cs.store.file.FileBlobStore');
        CREATE TABLE current_volumes (
            message_volume_id INTEGER NOT NULL, secondary_message_volume_id INTEGER, index_volume_id INTEGER NOT NULL,
            next_mailbox_id INTEGER NOT NULL);
        CREATE TABLE mailbox (
            id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, account_id TEXT NOT NULL UNIQUE,
            index_volume_id INTEGER NOT NULL, item_id_checkpoint INTEGER NOT NULL DEFAULT 0, contact_count INTEGER DEFAULT 0,
            size_checkpoint INTEGER NOT NULL DEFAULT 0, change_checkpoint INTEGER NOT NULL DEFAULT 0,
            tracking_sync INTEGER NOT NULL DEFAULT 0, tracking_imap INTEGER NOT NULL DEFAULT 0, last_backup_at INTEGER,
            comment TEXT, last_soap_access INTEGER NOT NULL DEFAULT 0, new_messages INTEGER NOT NULL DEFAULT 0,
            idx_deferred_count INTEGER NOT NULL DEFAULT 0, highest_indexed TEXT, version TEXT,
            last_purge_at INTEGER NOT NULL DEFAULT 0, itemcache_checkpoint INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE deleted_account (
            email TEXT PRIMARY KEY, account_id TEXT NOT NULL, mailbox_id INTEGER NOT NULL, deleted_at INTEGER NOT NULL);
        CREATE TABLE mailbox_metadata (
            mailbox_id INTEGER NOT NULL, section TEXT NOT NULL, metadata TEXT, PRIMARY KEY (mailbox_id, section));
        CREATE TABLE config (name TEXT PRIMARY KEY, value TEXT, description TEXT, modified TEXT);
        CREATE TABLE out_of_office (
            mailbox_id INTEGER NOT NULL, sent_to TEXT NOT NULL, sent_on TEXT NOT NULL, PRIMARY KEY (mailbox_id, sent_to));
        CREATE TABLE scheduled_task (
            class_name TEXT NOT NULL, name TEXT NOT NULL, mailbox_id INTEGER NOT NULL, exec_time TEXT, interval_millis INTEGER,
            metadata TEXT, PRIMARY KEY (name, mailbox_id, class_name));

        CREATE TABLE mail_item (\(itemColumns));
        CREATE INDEX i_type ON mail_item (mailbox_id, type);
        CREATE INDEX i_parent_id ON mail_item (mailbox_id, parent_id) WHERE parent_id IS NOT NULL;
        CREATE INDEX i_folder_id_date ON mail_item (mailbox_id, folder_id, date);
        CREATE INDEX i_mod_metadata ON mail_item (mailbox_id, mod_metadata);
        CREATE UNIQUE INDEX i_name_folder_id ON mail_item (mailbox_id, folder_id, name COLLATE NOCASE) WHERE name IS NOT NULL;
        CREATE TABLE mail_item_dumpster (\(itemColumns));
        CREATE INDEX i_dumpster_mod_metadata ON mail_item_dumpster (mailbox_id, mod_metadata);
        CREATE TABLE revision (\(revisionColumns));
        CREATE TABLE revision_dumpster (\(revisionColumns));
        CREATE TABLE tag (
            mailbox_id INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, color INTEGER,
            item_count INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0, listed INTEGER NOT NULL DEFAULT 0,
            sequence INTEGER NOT NULL, policy TEXT, PRIMARY KEY (mailbox_id, id), UNIQUE (mailbox_id, name));
        CREATE TABLE tagged_item (
            mailbox_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, item_id INTEGER NOT NULL,
            PRIMARY KEY (mailbox_id, item_id, tag_id)) WITHOUT ROWID;
        CREATE INDEX i_tagged_item_tag ON tagged_item (mailbox_id, tag_id) WHERE tag_id > 0;
        CREATE TABLE open_conversation (
            mailbox_id INTEGER NOT NULL, hash TEXT NOT NULL, conv_id INTEGER NOT NULL,
            PRIMARY KEY (mailbox_id, hash)) WITHOUT ROWID;
        CREATE INDEX i_conv_id ON open_conversation (mailbox_id, conv_id);
        CREATE TABLE appointment (\(appointmentColumns));
        CREATE TABLE appointment_dumpster (\(appointmentColumns));
        CREATE TABLE tombstone (
            mailbox_id INTEGER NOT NULL, sequence INTEGER NOT NULL, date INTEGER NOT NULL, type INTEGER, ids TEXT);
        CREATE INDEX i_sequence ON tombstone (mailbox_id, sequence);

        -- No table of the real server: the last numbers given, so that a killed server knows what it did.
        CREATE TABLE sandbox_progress (
            mailbox_id INTEGER PRIMARY KEY, change_id INTEGER NOT NULL, item_id INTEGER NOT NULL);

        CREATE TABLE directory_domain (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
        CREATE TABLE directory_cos (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
        CREATE TABLE directory_account (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
        CREATE TABLE directory_child (
            id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
            UNIQUE (account_id, kind, name));
        CREATE TABLE directory_attribute (
            entry_id TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, position INTEGER NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (entry_id, name, position)) WITHOUT ROWID;

        INSERT INTO current_volumes (message_volume_id, index_volume_id, next_mailbox_id) VALUES (1, 2, 1);
        INSERT INTO config (name, value, description) VALUES
            ('db.version', '118', 'db schema version'),
            ('index.version', '2', 'index version'),
            ('redolog.version', '1.42', 'redolog version');
        """

    /// Creates the tables and the rows of a fresh installation.
    static func create(in database: Database, store: String, index: String) throws {
        try database.execute(sql: statements)
        try database.execute(
            sql: """
                INSERT INTO volume (id, type, name, path, file_bits, file_group_bits, mailbox_bits, mailbox_group_bits,
                                    compress_blobs, compression_threshold)
                VALUES (1, 1, 'message1', ?, 12, 8, 12, 8, 0, 4096), (2, 10, 'index1', ?, 12, 8, 12, 8, 0, 4096)
                """,
            arguments: [store, index])
    }
}
