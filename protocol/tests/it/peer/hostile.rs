//! What strangers, liars and noise on the line get.
