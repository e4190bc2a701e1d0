//! Passeur as an external app of an instance (AppAPI).
