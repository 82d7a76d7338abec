//! Prints what a reading command found.

use super::Report;
use crate::render::answer::{AnswerPart, ClusterAnswer, WholeAnswer};
use crate::render::junit;

impl Report<'_> {
    /// Prints the answer of one cluster, and takes over the fields of its document and its exit code.
    pub(crate) fn tell(&mut self, answer: ClusterAnswer) {
        let ClusterAnswer { parts, whole, fields, exit, columns: _, recorded: _ } = answer;
        self.tell_parts(parts);
        self.fields.extend(fields);
        self.ends(exit);
        match whole {
            Some(WholeAnswer::Version(document) | WholeAnswer::Sarif(document)) => self.value(&document),
            Some(WholeAnswer::Junit(suites)) => self.whole(junit::of_suites(suites).as_bytes()),
            None => {}
        }
    }

    /// Prints parts of an answer in their order.
    pub(crate) fn tell_parts(&mut self, parts: Vec<AnswerPart>) {
        for part in parts {
            match part {
                AnswerPart::Line(line) => self.line(line),
                AnswerPart::Paragraph(line) => self.paragraph(line),
                AnswerPart::Table(table) => {
                    let width = self.ui.columns();
                    table.lines(width).into_iter().for_each(|line| self.line(line));
                }
                AnswerPart::Value(value) => self.line(value),
                AnswerPart::Csv { head, rows } => {
                    self.line(head);
                    for row in rows {
                        self.line(row);
                    }
                }
                AnswerPart::Status(line) => self.ui.status(line),
                AnswerPart::Advice(advice) => self.advice(advice),
                AnswerPart::Failure(failure) => self.failure(failure),
            }
        }
    }
}
