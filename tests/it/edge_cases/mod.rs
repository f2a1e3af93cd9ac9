//! Odd inputs by kind, each through every door that takes such a value: library, command line, JSON Lines, archive, SQL.
//!
//! A new odd value goes into the list of its kind, and so meets all doors at once.

mod files;
mod migrations;
mod queries;
mod servers;
mod shells;
mod tables;
mod values;
