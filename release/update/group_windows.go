package update

import "os/exec"

// ownGroup does nothing on Windows: the command itself is ended, and WaitDelay closes what its children
// hold open.
func ownGroup(*exec.Cmd) {}
