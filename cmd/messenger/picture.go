package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// newPictureCommand sets, removes and saves a group's picture.
func newPictureCommand(shared *place) *cobra.Command {
	p := *shared
	var save string
	var remove bool
	cmd := &cobra.Command{
		Use:   "picture GROUP [FILE]",
		Short: "Give a group a picture, remove it, or save it",
		Long: `Give a group a picture that its members see: PNG, JPEG, GIF or WebP, at most 1 MiB. It travels encrypted, as files do. Every
member may change it. Who joins more than a month later gets it when somebody sets it again.

` + cli.ExitHelp,
		Example: "  messenger group picture 'My choir' choir.jpg\n  messenger group picture 'My choir' --save picture.jpg\n  messenger group picture 'My choir' --remove",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := len(args) == 2
			if ways := count(given, remove, save != ""); ways != 1 {
				return cli.Usagef("want one of FILE, --remove and --save, got %d", ways)
			}
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				id, err := resolve(ctx, c, args[0])
				if err != nil {
					return err
				}
				if save != "" {
					return p.savePicture(ctx, c, id, save)
				}
				params := map[string]any{"groupId": id, "removeAvatar": remove}
				if given {
					path, err := filepath.Abs(args[1]) // a daemon has another working directory
					if err != nil {
						return err
					}
					params["avatar"] = path
				}
				return p.callAndPrint(ctx, c, "updateGroup", params, nil)
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&save, "save", "", "write the picture into this new `file`")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the picture")
	return cmd
}

func count(those ...bool) (n int) {
	for _, is := range those {
		if is {
			n++
		}
	}
	return n
}

func (p *place) savePicture(ctx context.Context, c *rpc.Client, group, path string) error {
	var picture struct {
		Data []byte `json:"data"`
		Type string `json:"type"`
	}
	if err := c.Call(ctx, "getAvatar", map[string]any{"groupId": group}, &picture); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never over another file
	if err != nil {
		return cli.Usagef("--save: %v", err)
	}
	_, err = f.Write(picture.Data)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	return p.app.Print(map[string]any{"file": path, "type": picture.Type, "bytes": len(picture.Data)}, fmt.Sprintf("%s: %s, %d bytes", path, picture.Type, len(picture.Data)))
}
