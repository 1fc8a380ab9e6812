//! Puts lines on standard error: drawn again in place on a terminal, one after the other elsewhere.

use anstyle::{AnsiColor, Color, Style};
use std::io::{IsTerminal, Write};

use super::records::LogLine;
use super::view::{Line, Tone};

/// Where the live view goes.
pub struct Screen {
    out: Box<dyn Write + Send>,
    /// Whether lines can be drawn again.
    redraws: bool,
    colours: bool,
    drawn: usize,
}

impl Screen {
    /// Takes standard error as it is: a terminal that a person looks at is drawn again.
    pub fn of_stderr() -> Screen {
        let stderr = std::io::stderr();
        let named = |name: &str| std::env::var(name).ok();
        let in_ci = named("CI").is_some_and(|value| !matches!(value.as_str(), "" | "false" | "0"));
        let is_dumb = named("TERM").is_some_and(|term| term == "dumb");
        let redraws = stderr.is_terminal() && !in_ci && !is_dumb;
        let colours = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
        Screen { out: Box::new(stderr), redraws, colours, drawn: 0 }
    }

    pub fn new(out: Box<dyn Write + Send>, redraws: bool, colours: bool) -> Screen {
        Screen { out, redraws, colours, drawn: 0 }
    }

    pub fn redraws(&self) -> bool {
        self.redraws
    }

    /// Returns width and height.
    pub fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        size.map_or((100, 40), |(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Draws the view in the place of the one before; what does not fit the height is left out at its end.
    pub fn draw(&mut self, view: &[Line], height: usize) -> std::io::Result<()> {
        let mut text = self.cleared();
        // The cursor stands below the view, so one line less than the screen has.
        let shown = &view[..view.len().min(height.saturating_sub(1))];
        for line in shown {
            text.push_str(&self.painted(line));
            text.push('\n');
        }
        self.drawn = shown.len();
        self.write(&text)
    }

    /// Prints lines that stay; the view is drawn below them the next time.
    pub fn print(&mut self, lines: &[Line]) -> std::io::Result<()> {
        let mut text = self.cleared();
        for line in lines {
            text.push_str(&self.painted(line));
            text.push('\n');
        }
        self.drawn = 0;
        self.write(&text)
    }

    /// Returns what takes the last view away.
    fn cleared(&self) -> String {
        match self.drawn {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}F\u{1b}[J"),
        }
    }

    fn painted(&self, line: &Line) -> String {
        let mut text = String::new();
        for piece in &line.0 {
            let style = style(piece.tone);
            match self.colours && style != Style::new() {
                true => text.push_str(&format!("{style}{}{style:#}", piece.text)),
                false => text.push_str(&piece.text),
            }
        }
        text
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// Returns a line of a log behind the task and the container that wrote it; each task has its colour.
pub fn of_log(line: &LogLine) -> Line {
    let hash = line.task.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    Line::of(format!("{} │ ", line.task), Tone::Task(hash % 6)).with(line.text.clone(), Tone::Plain)
}

fn style(tone: Tone) -> Style {
    const TASKS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::BrightCyan,
    ];
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(Color::Ansi(colour)));
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Quiet => Style::new().dimmed(),
        Tone::Good => colour(AnsiColor::Green),
        Tone::Bad => colour(AnsiColor::Red),
        Tone::Warn => colour(AnsiColor::Yellow),
        Tone::Heading => colour(AnsiColor::Cyan).bold(),
        Tone::Task(number) => colour(TASKS[usize::from(number) % TASKS.len()]),
    }
}
