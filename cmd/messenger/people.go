package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

func newContactsCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contacts",
		Short: "List, name, accept and block people",
		Long: `List, name, accept and block people.

Whoever writes to you for the first time is a request: he is not told that you have his messages until you answer or
accept. Who is blocked is not told either.

` + cli.ExitHelp,
		Example: "  messenger contacts list\n  messenger contacts name +999123456789012 Alice\n  messenger contacts block Mallory",
	}
	about := func(method string, more func(map[string]any, []string) error) func([]string) (any, error) {
		return func(args []string) (any, error) {
			params := where(args[0])
			return params, more(params, args)
		}
	}
	none := func(map[string]any, []string) error { return nil }
	cmd.AddCommand(
		p.command(simple{use: "list", short: "List contacts", example: "  messenger contacts list", args: cobra.NoArgs, method: "listContacts",
			params: func([]string) (any, error) { return nil, nil }, print: printed(printContacts)}),
		p.command(simple{use: "conversations", short: "List conversations, the newest first", example: "  messenger contacts conversations", args: cobra.NoArgs, method: "listConversations",
			params: func([]string) (any, error) { return nil, nil }, print: printed(printConversations)}),
		p.command(simple{use: "name WHO NAME", short: "Name a contact", example: "  messenger contacts name +999123456789012 'Alice A.'", args: cobra.ExactArgs(2), method: "updateContact",
			params: about("updateContact", func(m map[string]any, args []string) error { m["name"] = args[1]; return nil })}),
		p.command(simple{use: "accept WHO", short: "Accept a request", example: "  messenger contacts accept +999123456789012", args: cobra.ExactArgs(1), method: "sendMessageRequestResponse",
			params: about("", func(m map[string]any, _ []string) error { m["type"] = "accept"; return nil })}),
		p.command(simple{use: "block WHO", short: "Block somebody", example: "  messenger contacts block +999123456789012", args: cobra.ExactArgs(1), method: "block", params: blockParams}),
		p.command(simple{use: "unblock WHO", short: "Let somebody in again", example: "  messenger contacts unblock +999123456789012", args: cobra.ExactArgs(1), method: "unblock", params: blockParams}),
		p.command(simple{use: "expire WHO SECONDS", short: "Let messages disappear so many seconds after they were read; 0: not", example: "  messenger contacts expire alice 86400", args: cobra.ExactArgs(2), method: "updateContact",
			params: about("", func(m map[string]any, args []string) error {
				d, err := time.ParseDuration(args[1])
				if err != nil {
					d, err = time.ParseDuration(args[1] + "s")
				}
				if err != nil || d < 0 || d > 366*24*time.Hour {
					return cli.Usagef("%q is no duration of up to a year", args[1])
				}
				m["expiration"] = uint32(d.Seconds())
				return nil
			})}),
		p.command(simple{use: "reset WHO", short: "Begin sessions with somebody anew, when nothing can be read any more", example: "  messenger contacts reset alice", args: cobra.ExactArgs(1), method: "endSession", params: about("", none)}),
	)
	return cmd
}

func blockParams(args []string) (any, error) {
	if strings.HasPrefix(args[0], "group:") {
		return map[string]any{"groupId": []string{args[0]}}, nil
	}
	return map[string]any{"recipient": []string{args[0]}}, nil
}

func printContacts(list []client.Contact) string {
	var b strings.Builder
	for _, k := range list {
		name := ""
		if k.Called() != k.Number {
			name = k.Called()
		}
		var notes []string
		if k.Trust != "" {
			notes = append(notes, string(k.Trust))
		}
		if by := introducedBy(k.Introduced); by != "" {
			notes = append(notes, by)
		}
		if k.Doubt != "" {
			notes = append(notes, "KEY IN DOUBT")
		}
		if k.Blocked {
			notes = append(notes, "blocked")
		}
		if !k.Accepted {
			notes = append(notes, "request")
		}
		fmt.Fprintf(&b, "%-18s  %-24s  %s\n", k.Number, safe(name), strings.Join(notes, ", "))
	}
	return b.String()
}

func printConversations(list []rpc.Conversation) string {
	var b strings.Builder
	for _, v := range list {
		unread := ""
		if v.Unread > 0 {
			unread = fmt.Sprintf("%d unread", v.Unread)
		}
		fmt.Fprintf(&b, "%-40s  %-24s  %s\n", v.ID, safe(v.Name), unread)
	}
	return b.String()
}

func newGroupCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Make and change groups",
		Long: `Make and change groups of up to 150 members.

No server knows a group: its members tell each other. Who made it is its admin, and can appoint others; admins add and
remove. 'group show' says up to when everybody has seen everything.

` + cli.ExitHelp,
		Example: "  messenger group create 'My choir' alice bob\n  messenger group add 'My choir' carol\n  messenger group leave 'My choir'",
	}
	change := func(use, short, field string) *cobra.Command {
		word, _, _ := strings.Cut(use, " ")
		q := *p
		c := &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + cli.ExitHelp, Example: "  messenger group " + word + " 'My choir' carol", Args: cobra.MinimumNArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				return q.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
					id, err := resolve(ctx, c, args[0])
					if err != nil {
						return err
					}
					params := map[string]any{"groupId": id, field: args[1:]}
					if field == "name" {
						params[field] = strings.Join(args[1:], " ")
					}
					return q.callAndPrint(ctx, c, "updateGroup", params, nil)
				})
			}}
		q.flags(c)
		return c
	}
	about := func(args []string) (any, error) { return where(args[0]), nil }
	cmd.AddCommand(
		p.command(simple{use: "list", short: "List groups", example: "  messenger group list", args: cobra.NoArgs, method: "listGroups", params: func([]string) (any, error) { return nil, nil }, print: printed(printGroups)}),
		p.command(simple{use: "create NAME [MEMBER]...", short: "Make a group", example: "  messenger group create 'My choir' alice +999123456789012", args: cobra.MinimumNArgs(1), method: "updateGroup",
			params: func(args []string) (any, error) { return map[string]any{"name": args[0], "members": args[1:]}, nil },
			print:  printed(func(r struct{ GroupID string }) string { return "group:" + r.GroupID })}),
		change("add GROUP MEMBER...", "Add members", "members"),
		change("remove GROUP MEMBER...", "Remove members", "removeMembers"),
		change("appoint GROUP MEMBER...", "Make members admins", "admins"),
		change("dismiss GROUP MEMBER...", "Make members no admins", "removeAdmins"),
		change("rename GROUP NAME", "Rename a group", "name"),
		newPictureCommand(p),
		p.command(simple{use: "leave GROUP", short: "Leave a group", example: "  messenger group leave 'My choir'", args: cobra.ExactArgs(1), method: "quitGroup", params: about}),
		p.command(simple{use: "show GROUP", short: "Say up to when everybody has seen everything", example: "  messenger group show 'My choir'", args: cobra.ExactArgs(1), method: "groupConsistency", params: about, print: printed(printConsistency)}),
		p.command(simple{use: "ask GROUP", short: "Ask members for messages that others have answered and you have not received", example: "  messenger group ask 'My choir'", args: cobra.ExactArgs(1), method: "askForMissing", params: about}),
	)
	return cmd
}

func resolve(ctx context.Context, c *rpc.Client, name string) (string, error) {
	var found struct{ Conversation string }
	err := c.Call(ctx, "resolve", map[string]string{"name": name}, &found)
	if err == nil && !strings.HasPrefix(found.Conversation, "group:") {
		err = cli.Usagef("%q is no group", name)
	}
	return found.Conversation, err
}

func printGroups(list []rpc.Group) string {
	var b strings.Builder
	for _, g := range list {
		state := fmt.Sprintf("%d members", len(g.Members))
		if !g.IsMember {
			state = "you are not a member any more"
		}
		fmt.Fprintf(&b, "%-40s  %-24s  %s\n", g.Conversation, safe(g.Name), state)
	}
	return b.String()
}

func printConsistency(c client.Consistency) string {
	text := "Nobody has confirmed anything yet."
	if c.SeenByAll > 0 {
		text = "Everybody has seen everything up to " + time.UnixMilli(int64(c.SeenByAll)).Local().Format("2006-01-02 15:04:05") + "."
	}
	if c.Missing > 0 {
		text += fmt.Sprintf("\n%d messages that others have answered are missing here; 'messenger group ask' asks for them.", c.Missing)
	}
	return text
}

func newVerifyCommand(shared *place) *cobra.Command {
	p := *shared
	var digits, rule, scan string
	var accept, undo, downgrade bool
	cmd := &cobra.Command{
		Use:   "verify WHO",
		Short: "Compare safety numbers with somebody",
		Long: `Compare safety numbers with somebody: show the number, compare it with the other's in person or by telephone, and
give what the other reads to you with --digits, or a picture of the QR code on his screen with --scan. From then on nothing is sent by itself if the key changes.

If a key has changed, --accept takes the new one without comparing. --rule says what happens at the next change:
notify (tell, and go on unless verified), ask (hold until accepted), verified-only (send to a verified key only).

` + cli.ExitHelp,
		Example: "  messenger verify alice\n  messenger verify alice --digits '12345 67890 …'\n  messenger verify alice --scan photo.jpg\n  messenger verify alice --rule ask",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
				params := where(args[0])
				method := "trust"
				switch {
				case scan != "":
					code, err := scanPicture(scan, cmd.InOrStdin())
					if err != nil {
						return err
					}
					params["scanned"] = code
				case digits != "":
					if n := len(strings.Map(onlyDigits, digits)); n != 60 {
						return cli.Usagef("--digits: %d digits, want the 60 of a safety number", n)
					}
					params["verifiedSafetyNumber"] = digits
				case accept:
					params["trustAllKnownKeys"] = true
				case undo:
					params["unverify"] = true
				case rule != "":
					method, params["rule"] = "setRule", rule
				case downgrade:
					method, params["allow"] = "allowDowngrade", true
				default:
					return p.showSafety(ctx, c, args[0])
				}
				done := "Done."
				if digits != "" || scan != "" || accept || downgrade {
					done = "Done. If something was held for this reason, it goes out now."
				}
				if err := c.Call(ctx, method, params, nil); err != nil {
					if (digits != "" || scan != "") && cli.Code(err) == 1 {
						return cli.Hint(err, "if one of you has just installed anew, write once to each other and compare again",
							"if it stays so, somebody may be in between: send nothing that matters, and meet")
					}
					return err
				}
				return errors.Join(c.Call(ctx, "flush", nil, nil), p.app.Print(map[string]bool{"done": true}, done))
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&digits, "digits", "", "the 60 `digits` that the other's screen shows")
	cmd.Flags().StringVar(&scan, "scan", "", "a picture, PNG, JPEG or GIF, of the QR code on the other's screen: its `file`, or - for standard input")
	cmd.Flags().BoolVar(&accept, "accept", false, "take the present key without comparing")
	cmd.Flags().BoolVar(&undo, "undo", false, "do not vouch for the key any more")
	cmd.Flags().StringVar(&rule, "rule", "", "notify, ask or verified-only")
	cmd.Flags().BoolVar(&downgrade, "allow-downgrade", false, "let this contact speak an older protocol than he is known to")
	cmd.MarkFlagsMutuallyExclusive("digits", "scan", "accept", "undo", "rule", "allow-downgrade")
	return cmd
}

func onlyDigits(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

func (p *place) showSafety(ctx context.Context, c *rpc.Client, who string) error {
	var list []rpc.Identity
	if err := c.Call(ctx, "listIdentities", map[string]any{"recipient": who}, &list); err != nil {
		return err
	}
	id := list[0]
	var b strings.Builder
	groups := strings.Fields(id.SafetyNumber)
	for i := 0; i < len(groups); i += 4 {
		fmt.Fprintf(&b, "  %s\n", strings.Join(groups[i:min(i+4, len(groups))], " "))
	}
	state := map[string]string{"TRUSTED_VERIFIED": "Verified", "TRUSTED_UNVERIFIED": "Not verified", "UNTRUSTED": "CHANGED: nothing is sent until you verify or accept it"}[id.TrustLevel]
	switch by := introducedBy(id.Introduced); {
	case by != "":
		state = "Not verified by you; " + by
	case id.Doubt != "":
		state = fmt.Sprintf("IN DOUBT: nothing is sent until you verify or accept it, for %s has introduced this contact by another key", safe(id.Doubt))
	}
	fmt.Fprintf(&b, "%s, since %s\n", state, time.UnixMilli(id.Added).Local().Format("2006-01-02 15:04"))
	b.WriteString("If the other's screen shows the same number, nobody is in between: give it with --digits, or a picture of its QR code with --scan.")
	if p.app.Terminal() && !p.app.JSON {
		if picture, err := qrCode(string(id.Scannable)); err == nil {
			fmt.Fprintln(p.app.Err, picture)
		}
	}
	return p.app.Print(id, b.String())
}

func newProfileCommand(p *place) *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile", Short: "Your name, username and privacy",
		Long:    "Your name, which those see whom you write to; your username, by which others find you; and what they are told.\n\n" + cli.ExitHelp,
		Example: "  messenger profile name 'Alice A.'\n  messenger profile username alice\n  messenger profile receipts off",
	}
	onOff := func(field string) func([]string) (any, error) {
		return func(args []string) (any, error) {
			if args[0] != "on" && args[0] != "off" {
				return nil, cli.Usagef("%q, want on or off", args[0])
			}
			return map[string]bool{field: args[0] == "on"}, nil
		}
	}
	cmd.AddCommand(
		p.command(simple{use: "name NAME", short: "Set your name; the server cannot read it", example: "  messenger profile name 'Alice A.'", args: cobra.ExactArgs(1), method: "updateProfile",
			params: func(args []string) (any, error) { return map[string]string{"name": args[0]}, nil }}),
		p.command(simple{use: "username [NAME]", short: "Take a username, or give it back", example: "  messenger profile username alice", args: cobra.MaximumNArgs(1), method: "setUsername",
			params: func(args []string) (any, error) { return map[string]string{"username": strings.Join(args, "")}, nil }}),
		p.command(simple{use: "receipts on|off", short: "Whether others are told that you have read their messages", example: "  messenger profile receipts off", args: cobra.ExactArgs(1), method: "updateConfiguration", params: onOff("readReceipts")}),
		p.command(simple{use: "typing on|off", short: "Whether others are told that you write", example: "  messenger profile typing off", args: cobra.ExactArgs(1), method: "updateConfiguration", params: onOff("typingIndicators")}),
	)
	return cmd
}

func newStatusCommand(p *place) *cobra.Command {
	return p.command(simple{use: "status", short: "Which account this is, and whether it is connected", example: "  messenger status --json", args: cobra.NoArgs, method: "status",
		params: func([]string) (any, error) { return nil, nil },
		print: printed(func(s rpc.Status) string {
			connected := "not connected"
			if s.Connected {
				connected = "connected"
			}
			line := fmt.Sprintf("%s, device %d, at %s: %s, %d queued", s.Number, s.Device, s.Server, connected, s.Queued)
			if s.Index.Done < s.Index.All {
				line += fmt.Sprintf(", %d%% indexed for searching", 100*s.Index.Done/s.Index.All)
			}
			if s.Unlinked != "" {
				line += "\n" + s.Unlinked + "."
			}
			return line
		})})
}
