//! What every kind of subject says, without a layout: a format that has no layout of its own for a kind takes this.

/// A document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// One line.
    pub title: String,
    /// The answer in one sentence, where there is one.
    pub answer: Option<String>,
    /// Parts of the document in their order, those without a heading first.
    pub sections: Vec<Section>,
}

/// A part of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Absent: the part belongs to the document's beginning.
    pub heading: Option<String>,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Sentences.
    Paragraph(String),
    /// Items that are read one by one.
    List(Vec<String>),
    /// Rows and columns.
    Table(Table),
    /// Text whose line breaks and blanks count: a console, a command, a mail.
    Verbatim(String),
    /// Another file of the run's folder, for formats whose documents lie beside it.
    Link {
        /// What it has.
        text: String,
        /// Its name.
        file: &'static str,
    },
}

/// Rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns' names.
    pub head: Vec<String>,
    /// The rows; the first cell of each names it.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// As many as the table has columns.
    pub cells: Vec<Cell>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Lines of text.
    pub lines: Vec<String>,
    /// The word of the verdict that gives the cell its colour, or `why` for reasons; empty: none.
    pub tone: &'static str,
    /// What explains the cell: a page shows it on demand, other formats as a further line.
    pub hint: Option<String>,
    /// Where more is said, relative to the run's folder, for formats whose documents lie there.
    pub link: Option<String>,
}

impl Cell {
    /// A cell of several lines.
    pub fn lines(lines: impl Iterator<Item = String>) -> Cell {
        Cell { lines: lines.collect(), ..Cell::default() }
    }

    /// A cell of one line.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell { lines: vec![text.into()], ..Cell::default() }
    }

    /// A cell of one line in the colour of a verdict.
    pub fn toned(text: impl Into<String>, tone: &'static str) -> Cell {
        Cell { lines: vec![text.into()], tone, ..Cell::default() }
    }
}

impl Document {
    /// A document that has nothing yet.
    pub fn new(title: impl Into<String>) -> Document {
        Document { title: title.into(), ..Document::default() }
    }

    /// Adds a part.
    pub fn section(&mut self, heading: Option<&str>, blocks: Vec<Block>) {
        self.sections.push(Section { heading: heading.map(str::to_owned), blocks });
    }
}
