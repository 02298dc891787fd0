//! The FTP door: sockets, TLS and time for the session machine of `haul_proto::ftp::server`.
