package updatecmd

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/genuine"
)

func newAboutCommand(h *Host) *cobra.Command {
	var licenses bool
	cmd := &cobra.Command{
		Use:   "about",
		Short: "Say which version runs and who vouches for it",
		Long: `Say which version runs, who countersigned and rebuilt exactly these bytes, when that was last
confirmed, and what was decided about updates. It asks nobody: all it needs lies on this computer.

--licenses lists instead whose work this program is made of, with versions and hashes.

A build without a distribution says "no distribution: updates are off" and that it could not tell.

` + cli.ExitHelp,
		Example: "  " + h.app.Name + " about\n  " + h.app.Name + " about --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if licenses {
				list, err := h.libraries()
				if err != nil {
					return err
				}
				return h.app.Print(list, librariesText(list))
			}
			about := h.Describe()
			if err := h.app.Print(about, about.Text()); err != nil {
				return err
			}
			switch about.Outcome {
			case genuine.Genuine:
				return nil
			case genuine.Refused:
				return about.Verdict.Err()
			}
			if about.Verdict != nil {
				return about.Verdict.Err()
			}
			return errors.New(about.Why)
		},
	}
	cmd.Flags().BoolVar(&licenses, "licenses", false, "list whose work this program is made of")
	return cmd
}
