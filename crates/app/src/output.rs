//! The output of commands: aligned tables, in colour on a terminal and plain in a pipe.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, TableComponent, presets};
use std::io::{IsTerminal, Write};

/// A table with a header, as wide as the terminal allows.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─');
    if !std::io::stdout().is_terminal() {
        table.force_no_tty();
    }
    table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    table
}

/// A cell in green if `good`, else in red.
pub(crate) fn verdict(good: bool, text: impl ToString) -> Cell {
    Cell::new(text).fg(if good { Color::Green } else { Color::Red })
}

/// Writes the text and a line end. A reader that closed the pipe (`tacos … | head`) is not an
/// error.
pub(crate) fn print(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
