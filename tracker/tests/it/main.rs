//! The tracker from outside: its program, raw requests over both transports and families, real clients.

mod clients;
mod command_line;
mod http;
mod program;
mod slow;
mod udp;
