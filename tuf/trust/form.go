package trust

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// form reads fields out of a value tree and remembers the first thing it did
// not like. After that every method returns zero values, so that a reader can
// be written straight down and look at the error once, at its end.
type form struct {
	role string
	err  *FormatError
}

// at is one place in the tree.
type at struct {
	*form
	where string
	v     value
}

func (f *form) fail(where, format string, args ...any) {
	if f.err == nil {
		f.err = &FormatError{Role: f.role, Where: where, Reason: fmt.Sprintf(format, args...)}
	}
}

// failed reports whether something was refused already.
func (f *form) failed() bool { return f.err != nil }

func (a at) refuse(format string, args ...any) { a.fail(a.where, format, args...) }

func (a at) child(name string, v value) at {
	if a.where != "" {
		name = a.where + "." + name
	}
	return at{a.form, name, v}
}

func (a at) want(k kind) bool {
	if !a.failed() && a.v.kind != k {
		a.refuse("%v, want %v", a.v.kind, k)
	}
	return !a.failed()
}

// object checks that the value is an object and that no unknown field differs
// from a known one only in case: encoding/json would take it for the known one.
func (a at) object(known ...string) bool {
	if !a.want(isObject) {
		return false
	}
	for name := range a.v.fields {
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				a.refuse("field %.40q looks like %q", name, k)
			}
		}
	}
	return !a.failed()
}

// closed is object without any unknown field.
func (a at) closed(known ...string) bool {
	if !a.object(known...) {
		return false
	}
	for name := range a.v.fields {
		if !contains(known, name) {
			a.refuse("unknown field %.40q", name)
		}
	}
	return !a.failed()
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// field is a required member of an object.
func (a at) field(name string) at {
	v, ok := a.v.fields[name]
	if !ok {
		a.child(name, v).refuse("missing")
	}
	return a.child(name, v)
}

// maybe is an optional member; ok is false when it is absent. A null is not absent.
func (a at) maybe(name string) (at, bool) {
	v, ok := a.v.fields[name]
	return a.child(name, v), ok && !a.failed()
}

// members visits the fields of an object in a fixed order.
func (a at) members(visit func(name string, m at)) {
	if !a.want(isObject) {
		return
	}
	names := make([]string, 0, len(a.v.fields))
	for name := range a.v.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if a.failed() {
			return
		}
		visit(name, a.child(name, a.v.fields[name]))
	}
}

// elements visits the items of an array.
func (a at) elements(visit func(e at)) {
	if !a.want(isArray) {
		return
	}
	for i, item := range a.v.items {
		if a.failed() {
			return
		}
		visit(a.child(strconv.Itoa(i), item))
	}
}

func (a at) text() string {
	if !a.want(isString) {
		return ""
	}
	return a.v.text
}

// integer is a whole number of at least min.
func (a at) integer(min int64) int64 {
	if !a.want(isInteger) {
		return 0
	}
	if a.v.number < min {
		a.refuse("%d, want at least %d", a.v.number, min)
	}
	return a.v.number
}

func (a at) yes() bool { return a.want(isBool) && a.v.yes }

// hex decodes hexadecimal text of size bytes, or of any even length for size 0.
// Capitals are refused where strict: one value, one spelling.
func (a at) hex(size int, strict bool) []byte {
	s := a.text()
	if a.failed() {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || size > 0 && len(b) != size {
		a.refuse("%.80q, want %s", s, hexWanted(size))
		return nil
	}
	if strict && s != strings.ToLower(s) {
		a.refuse("%.80q, want small letters", s)
	}
	return b
}

func hexWanted(size int) string {
	if size == 0 {
		return "hexadecimal digits"
	}
	return fmt.Sprintf("%d hexadecimal digits", 2*size)
}

// timeFormat is the one form of a time in TUF (4.2.1): UTC, whole seconds.
const timeFormat = "2006-01-02T15:04:05Z"

func (a at) time() time.Time {
	s := a.text()
	if a.failed() {
		return time.Time{}
	}
	t, err := time.Parse(timeFormat, s)
	if err != nil || t.Format(timeFormat) != s {
		a.refuse("%.40q, want UTC in whole seconds such as %q", s, timeFormat)
	}
	return t
}
