//! What is written about the program is what it does.
