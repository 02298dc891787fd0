//! The rules of an upload, at the depot: against the file-system store and the SQLite ledger.
