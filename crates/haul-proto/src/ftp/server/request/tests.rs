//! Every form of every command.
