//go:build !man

package cli

import "github.com/spf13/cobra"

// addManual adds nothing: the man pages are written by a build with the tag "man".
func addManual(*cobra.Command) {}
