//! What only some systems do for a server's sockets, each behind a portable answer.
//!
//! Nothing here knows a protocol.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    Quiet, READS_ON_A_THREAD, SENDS_FILES, Socket, Waiting, as_many_files_as_at_first, drop_gently,
    drop_hard, end_of_sending, fill_now, hung_up, keep_awake, listen, many_files, read_at, read_cached,
    read_now, send_file, urgent_inline, wait_readable, wait_writable, wake_in_time, write_before, write_now,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{
    Quiet, READS_ON_A_THREAD, SENDS_FILES, Socket, Waiting, as_many_files_as_at_first, drop_gently,
    drop_hard, end_of_sending, fill_now, hung_up, keep_awake, listen, many_files, read_at, read_cached,
    read_now, send_file, urgent_inline, wait_readable, wait_writable, wake_in_time, write_before, write_now,
};
