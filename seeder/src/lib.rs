//! Peerfeed seeder and client.
