package trust

import (
	"regexp"
	"strings"
)

// targetForm is one segment of a target path: names that mean one file on
// every system we run on. No backslash, no colon, no leading or trailing dot.
var targetForm = regexp.MustCompile(`^[A-Za-z0-9_+~-]([A-Za-z0-9._+~-]*[A-Za-z0-9_+~-])?$`)

// maxTargetPath is what every file system we run on can hold below a directory.
const maxTargetPath = 200

func validTargetPath(name string) bool {
	if len(name) > maxTargetPath {
		return false
	}
	for _, segment := range strings.Split(name, "/") {
		if !targetForm.MatchString(segment) {
			return false
		}
	}
	return true
}

// readTargets reads 4.5.
func (p *parser) readTargets(d *document, a at) {
	d.targets = map[string]targetFile{}
	a.field("targets").members(func(name string, m at) {
		if p.mode == Strict && !validTargetPath(name) {
			m.refuse("%.80q is no target path", name)
		}
		d.targets[name] = p.readTarget(m)
	})
	if m, ok := a.maybe("delegations"); ok {
		p.readDelegations(d, m)
	}
}

func (p *parser) readTarget(a at) targetFile {
	var t targetFile
	if !a.object("length", "hashes", "custom") {
		return t
	}
	t.length = a.field("length").integer(0)
	t.hashes = p.readHashes(a.field("hashes"))
	if m, ok := a.maybe("custom"); ok {
		t.custom = map[string]string{}
		m.members(func(name string, c at) {
			if p.mode == Standard && c.v.kind != isString {
				return
			}
			t.custom[name] = c.text()
		})
	}
	return t
}
