// Package updatecmd is what messenger and messengerd share at their edge: becoming the right version at
// the start, the commands about and update, the hidden command probe, and a long-running mode that keeps
// itself updated under a small parent.
//
// Its world is that of release/update and release/update/launch; this package only wires them to flags,
// files, the network and people.
package updatecmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/launch"
)

// variable names the environment variable that gives both programs the directory they keep their homes in.
const variable = "MESSENGER_HOME"

// Host is one of the programs, started.
type Host struct {
	// Libraries lists others' work in this program that is no Go module; nil: there is none.
	Libraries func() ([]Library, error)
	// Way is how the command update fetches, unless it is told another; nil: as the environment says. It is set before Register.
	Way Way

	app     *cli.App
	world   launch.World
	started *launch.Started
	anchor  anchor.Anchor
	none    error // anchor.ErrNoDistribution, or what is wrong with the anchor
	home    string
	code    int                           // exit code of a long-running mode
	parent  atomic.Pointer[launch.Parent] // of a long-running mode
	asking  chan struct{}                 // holds one element while there is an updater
}

// Start makes this process the version it is to be, and returns in the process that does the work. Modes are
// the names of the program's long-running commands.
func Start(app *cli.App, server bool, modes ...string) *Host {
	h := &Host{app: app, world: launch.Real(), asking: make(chan struct{}, 1)}
	h.world.Notice = func(text string) { fmt.Fprintf(app.Err, "%s: notice: %s\n", app.Name, text) }
	h.started = launch.Start(launch.Program{
		Name: app.Name, Version: anchor.Version(), Server: server, Variable: variable,
		Serves: func(args []string) bool {
			return slices.ContainsFunc(modes, func(mode string) bool { return slices.Contains(args, mode) })
		},
	}, h.world)
	h.anchor, h.none = anchor.Embedded()
	return h
}

// Register adds the shared commands and --home to a root command that app.Prepare has prepared.
func (h *Host) Register(root *cobra.Command) {
	root.PersistentFlags().StringVar(&h.home, "home", "", "directory in which this user's programs keep their versions, below their names (default: the user's data directory, or "+variable+")")
	before := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("home") {
			h.home = ""
		}
		given := h.home
		if err := before(cmd, args); err != nil {
			return err
		}
		if given == "" && h.home != "" && h.app.Getenv(variable) == "" {
			return cli.Usagef("home: give it by flag or in %s, not in the settings file: it is needed before that is read", variable)
		}
		return nil
	}
	root.AddCommand(newAboutCommand(h), newUpdateCommand(h), newProbeCommand(h))
}

// Run runs the command line and returns the exit code of the process.
func (h *Host) Run(root *cobra.Command, args []string) int {
	code := h.app.Run(root, args)
	if code == cli.ExitDone {
		code = h.code
	}
	// A command came to its end: whatever it answered, this version works.
	if err := h.started.Confirm(); err != nil {
		h.app.Say("%s: notice: could not note that this version works: %v", h.app.Name, err)
	}
	return code
}

// Data is the directory below the program's home for what is not about updates: accounts, databases. It may not exist yet.
func (h *Host) Data() (string, error) {
	if h.started.Home.Dir == "" {
		return "", fmt.Errorf("no home directory: give one with --home or in %s", variable)
	}
	return filepath.Join(h.started.Home.Dir, "data"), nil
}

// Serving tells whether this process is of a long-running mode that goes on already, and so must Serve.
func (h *Host) Serving() bool { return h.started.Serving(h.world) }

// Hand gives the versions to come what a person was asked for by this one, so that they need not ask: see launch.Parent.Hand.
func (h *Host) Hand(variable, value string) { h.parent.Load().Hand(variable, value) }

// running is this program as the updater sees it.
func (h *Host) running() update.Running {
	s := h.started
	return update.Running{Version: s.Program.Version, Installed: s.Installed, Base: s.BaseVersion, BasePath: s.Base,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Path: s.Executable}
}

// channels are those that the policy built into this program knows.
func (h *Host) channels() []string {
	policy, err := genuine.ParsePolicy(h.anchor.Policy)
	if err != nil {
		return nil
	}
	var list []string
	for _, r := range policy.Channels {
		list = append(list, r.Channel)
	}
	return list
}

func newProbeCommand(h *Host) *cobra.Command {
	return &cobra.Command{
		Use: "probe", Short: "Say what this program is, for an updater that is about to install it", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			answer, err := update.Probed(h.started.Home, h.started.Program.Version, runtime.GOOS, runtime.GOARCH)
			if err != nil {
				return err
			}
			if h.none != nil && !errors.Is(h.none, anchor.ErrNoDistribution) {
				return h.none // a program that could never update itself again
			}
			return h.app.Print(answer, fmt.Sprintf("%s %s %s/%s", answer.Program, answer.Version, answer.OS, answer.Arch))
		},
	}
}
