package launch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const protocol = "1"

func (p Program) variable(what string) string { return strings.ToUpper(p.Name) + "_" + what }

// note is the value of one of our variables: "1 <pid> field…". The last field may hold spaces.
func note(pid int, fields ...any) string {
	s := fmt.Sprintf("%s %d", protocol, pid)
	for _, f := range fields {
		s += fmt.Sprintf(" %v", f)
	}
	return s
}

// readNote returns the fields of a note that was meant for this process: one whose writer is this
// process before its exec, or its parent. Anything else was inherited by accident and is no note.
func (w World) readNote(name string, fields int) ([]string, bool) {
	parts := strings.SplitN(get(w.Environ, name), " ", fields+2)
	if len(parts) != fields+2 || parts[0] != protocol {
		return nil, false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil || (pid != w.Pid && pid != w.Ppid) {
		return nil, false
	}
	return parts[2:], true
}

// get returns the last value of a variable in an environment, or "".
func get(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// set returns the environment with one variable changed; without it when value is "".
func set(environ []string, name, value string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	if value == "" {
		return out
	}
	return append(out, name+"="+value)
}

// clean removes all our notes, so that programs started later inherit none.
func (p Program) clean(environ []string) []string {
	for _, what := range []string{"LAUNCHED", "SUPERVISED", "ADOPT"} {
		environ = set(environ, p.variable(what), "")
	}
	return environ
}

// homeFlag finds --home in arguments before the command line is parsed: the version that will parse it
// is not known yet. The last one wins, as in the parser; after "--" nothing is a flag.
func homeFlag(args []string) (dir string) {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if v, ok := strings.CutPrefix(args[i], "--home="); ok {
			dir = v
		} else if args[i] == "--home" && i+1 < len(args) {
			i++
			dir = args[i]
		}
	}
	return dir
}
