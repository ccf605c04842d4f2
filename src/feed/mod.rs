//! Feeds: exports of an ERP as sources. Bytes become records (`format`), and a mapping says which
//! resources these are (`mapping`).

pub mod mapping;
