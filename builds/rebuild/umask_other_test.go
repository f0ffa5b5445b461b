//go:build !unix

package rebuild

import "testing"

const modesMatter = false

func umask(*testing.T, *Options) {}
