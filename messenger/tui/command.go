package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// command is something that is typed with a slash before it.
type command struct {
	name, args, help string
	run              func(m *Model, args string) tea.Cmd
}

// commands are all of them, in the order of /help. About a message means: the one that Up has marked, or else the newest that it can be about.
func commands() []command {
	return []command{
		{"reply", "[TEXT]", "answer a message: the marked one, or else the newest of others", (*Model).reply},
		{"react", "EMOJI", "react to a message, with an emoji or +1, -1, heart, laugh, wow, sad, party; the same again takes it back", (*Model).react},
		{"edit", "[TEXT]", "change what you wrote: the marked message, or else your newest", (*Model).edit},
		{"delete", "", "take a message back from everybody, or remove it here", (*Model).remove},
		{"retry", "", "send again what failed: the marked message, or else the newest that did", (*Model).retry},
		{"file", "PATH", "send a file", (*Model).file},
		{"save", "[DIRECTORY]", "fetch and check the files of a message: the marked one, or else the newest that has some", (*Model).save},
		{"timer", "TIME|off", "let messages disappear so long after they were read: 30s, 5m, 8h, 1d, 4w", (*Model).timer},
		{"verify", "[DIGITS|qr|NAME]", "show the safety number, or as a code; with the 60 digits that the other reads to you, compare", (*Model).verify},
		{"introduce", "NAME", "tell this contact and another the keys that you have verified for the two", (*Model).introduce},
		{"search", "WORDS", "find messages in this conversation", (*Model).search},
		{"members", "", "who is here, and how well they are known", (*Model).showMembers},
		{"ask", "", "ask the group for what others have answered and you have not received", (*Model).askMissing},
		{"accept", "", "accept a request: the other is told that you have what he wrote", (*Model).acceptRequest},
		{"block", "", "keep everything of this conversation away; nobody is told", (*Model).block},
		{"unblock", "", "let it in again", (*Model).unblock},
		{"mute", "", "count nothing of this conversation in the window's title, or do again", (*Model).mute},
		{"name", "NAME", "what to call this contact here", (*Model).rename},
		{"go", "NAME", "go to a conversation, or begin one: a name, number, username or group", (*Model).goBy},
		{"help", "", "this", func(m *Model, _ string) tea.Cmd { m.help(); return nil }},
		{"quit", "", "leave", func(m *Model, _ string) tea.Cmd { return m.leave("") }},
	}
}

// command does what was typed after a slash. What is not done stays in the field.
func (m *Model) command(text string) tea.Cmd {
	word, args, _ := strings.Cut(text, " ")
	for _, c := range commands() {
		if c.name != word {
			continue
		}
		if args = strings.TrimSpace(args); args == "" && c.args != "" && c.args[0] != '[' {
			m.fail(fmt.Errorf("/%s %s: %s", c.name, c.args, c.help))
			return nil
		}
		typed := m.input.Value()
		m.input.Reset()
		cmd := c.run(m, args)
		switch {
		case m.question != nil:
			m.question.typed = typed
		case m.says.bad && m.input.Value() == "":
			m.input.SetValue(typed)
		}
		return cmd
	}
	m.fail(fmt.Errorf("no command /%s: /help lists them; // at the beginning sends a text that begins with /", name(word, 30)))
	return nil
}

// fits are the commands that begin as the field does, while only the command is typed.
func (m *Model) fits() (out []command) {
	rest, ok := strings.CutPrefix(m.input.Value(), "/")
	if !ok || strings.ContainsAny(rest, " \n/") {
		return nil
	}
	for _, c := range commands() {
		if strings.HasPrefix(c.name, rest) {
			out = append(out, c)
		}
	}
	return out
}

// complete finishes the command that is being typed, as far as it can only be one.
func (m *Model) complete() {
	for _, c := range []string{"/file ", "/save "} {
		if path, ok := strings.CutPrefix(m.input.Value(), c); ok {
			m.input.SetValue(c + m.completePath(path, c == "/save "))
			return
		}
	}
	fits := m.fits()
	if len(fits) == 0 {
		return
	}
	var names []string
	for _, c := range fits {
		names = append(names, c.name)
	}
	whole := common(names)
	if len(fits) == 1 && fits[0].args != "" {
		whole += " "
	}
	m.input.SetValue("/" + whole)
}

// common is how all of some texts begin.
func common(texts []string) string {
	begin := []rune(texts[0])
	for _, t := range texts[1:] {
		for !strings.HasPrefix(t, string(begin)) {
			begin = begin[:len(begin)-1]
		}
	}
	return string(begin)
}

// completePath finishes a path as far as it can only be one. What others have named so that it cannot be typed is left out.
func (m *Model) completePath(typed string, directories bool) string {
	cut := strings.LastIndexByte(typed, '/') + 1
	dir, base := typed[:cut], typed[cut:]
	full, err := m.o.Path(dir)
	if err != nil {
		return typed
	}
	names, err := m.o.List(full)
	if err != nil {
		m.fail(err)
		return typed
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasPrefix(n, base) || Safe(n) != n || strings.ContainsAny(n, "\n\t") || base == "" && n[0] == '.' || directories && !strings.HasSuffix(n, "/")
	})
	if len(names) == 0 {
		return typed
	}
	if len(names) > 1 {
		m.say(strings.Join(names, "  "))
	}
	return dir + common(names)
}

// hint says what the command that is being typed can be, or what it wants.
func (m *Model) hint() string {
	fits := m.fits()
	if word, _, spaced := strings.Cut(strings.TrimPrefix(m.input.Value(), "/"), " "); spaced && strings.HasPrefix(m.input.Value(), "/") {
		fits = slices.DeleteFunc(commands(), func(c command) bool { return c.name != word })
	}
	if len(fits) == 1 {
		return strings.TrimSpace("/"+fits[0].name+" "+fits[0].args) + ": " + fits[0].help
	}
	var names []string
	for _, c := range fits {
		names = append(names, "/"+c.name)
	}
	if len(names) > 0 {
		return "Tab: " + strings.Join(names, " ")
	}
	return ""
}

func (m *Model) help() {
	lines := []string{
		"Enter sends, Alt+Enter (or Ctrl+J) begins a new line.",
		"Up in an empty field, or Alt+Up, marks a message, which shows what it said before it was edited. Esc takes back: the mark, an answer, an edit.",
		"PgUp, PgDn and the mouse wheel go through the conversation, Ctrl+End to its end.",
		"Ctrl+N, Ctrl+P, Alt+1 to Alt+9: next, previous, first to ninth conversation. Ctrl+G finds one by some of its letters.",
		"A click opens a conversation; to select text with the mouse hold Shift. Tab completes commands and paths.",
		"Ctrl+C leaves, Ctrl+L draws anew. // at the beginning sends a text that begins with /.", "",
	}
	for _, c := range commands() {
		lines = append(lines, fmt.Sprintf("%-25s  %s", strings.TrimSpace("/"+c.name+" "+c.args), c.help))
	}
	m.panel = &panel{title: "help", lines: lines}
}

// emoji is what a short word stands for, or the text itself.
func emoji(word string) string {
	switch word {
	case "+1":
		return "👍"
	case "-1":
		return "👎"
	case "heart":
		return "❤️"
	case "laugh":
		return "😂"
	case "wow":
		return "😮"
	case "sad":
		return "😢"
	case "party":
		return "🎉"
	}
	return word
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
