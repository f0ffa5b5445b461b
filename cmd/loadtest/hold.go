package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newHoldCommand is a process of clients that connect, acknowledge what comes, and stay until they are killed.
func newHoldCommand() *cobra.Command {
	var address string
	var first, end int
	cmd := &cobra.Command{
		Use: "hold", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := &bench{}
			r := b.over(nil, "", end)
			if err := r.connect(cmd.Context(), &messengerd{dialer: newDialer(), address: address}, first, end); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), holdingLine(end-first))
			select {}
		},
	}
	f := cmd.Flags()
	f.StringVar(&address, "address", "", "where messengerd listens")
	f.IntVar(&first, "first", 0, "first user")
	f.IntVar(&end, "end", 0, "user after the last")
	return cmd
}

func holdingLine(n int) string { return fmt.Sprintf("holding %d connections", n) }

// holding tells whether a process of clients says that all are connected.
func holding(output string, n int) bool { return strings.Contains(output, holdingLine(n)+"\n") }
