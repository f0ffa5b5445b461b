// Package site prints the public record of a repository as a folder of plain web pages: which releases
// there are, who signed, rebuilt and reviewed each, who disagrees and what bytes each side got, what was
// withdrawn and why, which policy it was all measured by, and how to check it without us.
//
// Its world: everything it shows was verified from the anchor on by the same code as on every device
// (release/record); what does not hold is shown as refused, with the reason. The pages themselves are signed by nobody. Who may change them: whoever serves them. The worst
// they can do is to show readers something else, which is why no program reads a page and why each page
// says how to check. A mirror does not copy the pages: it makes them again from what it verified, so that
// a lying publisher's page ends at the publisher, and honest mirrors show the same bytes.
//
// Render is pure: a record goes in, pages come out; Write puts them into a folder. The same repository gives the same bytes: the time everything is
// judged for is an argument, by default the one at which the publisher last signed the timestamp.
//
// The pages hold no script, load nothing from anywhere, and forbid both to the browser. Text that people
// wrote (notes, reasons) is escaped, kept in its own direction, and rid of characters that do not print.
package site
