package launch

import (
	"strconv"
	"strings"
)

// Hand gives every version that this process starts from now on one more variable: what a person was asked for once, and nobody is there to be
// asked for again when a new version comes at night.
func (s *Started) Hand(variable, value string) {
	s.world.Environ = set(s.world.Environ, variable, value)
}

// handWord is how a child hands a variable to its parent.
func handWord(variable, value string) string {
	return wordHand + " " + strconv.Quote(variable+"="+value)
}

// handed acts on such a word. Variables that are not the program's own are none of the child's business.
func (s *Started) handed(word string) {
	text, err := strconv.Unquote(strings.TrimPrefix(word, wordHand+" "))
	variable, value, ok := strings.Cut(text, "=")
	if err == nil && ok && strings.HasPrefix(variable, s.Program.variable("")) {
		s.Hand(variable, value)
	}
}
