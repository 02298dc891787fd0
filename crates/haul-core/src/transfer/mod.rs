//! The transfer machine.
