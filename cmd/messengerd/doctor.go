package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

// finding is one thing the doctor looked at.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // "ok", "warning", "wrong"
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

func newDoctorCommand(app *cli.App, host *updatecmd.Host) *cobra.Command {
	o := &serveOptions{place: place{host: host}}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with this server",
		Long: `Look at the settings, the data directory, the database, the store of attachments, the certificate, the peers and, if it runs, the server
itself, and say what is wrong and what to do. Give the flags that 'serve' gets, or the same settings file. It changes nothing.

` + cli.ExitHelp,
		Example: "  messengerd doctor\n  messengerd doctor --config /etc/messengerd.toml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := o.examine(cmd.Context(), app.Now())
			var text strings.Builder
			wrong := 0
			for _, f := range list {
				fmt.Fprintf(&text, "%-8s %s: %s\n", f.State, f.What, f.Detail)
				if f.Advice != "" {
					fmt.Fprintf(&text, "         → %s\n", f.Advice)
				}
				if f.State == "wrong" {
					wrong++
				}
			}
			if err := app.Print(list, text.String()); err != nil {
				return err
			}
			if wrong > 0 {
				return cli.Refusef("%d of %d things are wrong", wrong, len(list))
			}
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *serveOptions) examine(ctx context.Context, now time.Time) []finding {
	list := []finding{o.examineSettings(), o.examineDirectory()}
	list = append(list, o.examineStore(ctx, now)...)
	if o.certificate != "" {
		list = append(list, o.examineCertificate(now))
	}
	if len(o.domains) > 0 {
		list = append(list, o.examineAuthority(ctx, now)...)
	}
	if o.webhookSecret != "" {
		list = append(list, o.examineSecret())
	}
	list = append(list, o.examineAttachments(ctx, now)...)
	list = append(list, o.examinePeers(ctx, now)...)
	return append(list, o.examineServer(ctx))
}

func ok(what, format string, args ...any) finding {
	return finding{What: what, State: "ok", Detail: fmt.Sprintf(format, args...)}
}

func wrong(what, advice, format string, args ...any) finding {
	return finding{What: what, State: "wrong", Advice: advice, Detail: fmt.Sprintf(format, args...)}
}

func warning(what, advice, format string, args ...any) finding {
	return finding{What: what, State: "warning", Advice: advice, Detail: fmt.Sprintf(format, args...)}
}

func (o *serveOptions) examineSettings() finding {
	if err := o.check(); err != nil {
		return wrong("settings", "see 'messengerd serve --help'", "%v", err)
	}
	return ok("settings", "listening on %s, registration %s", o.listen, o.registration())
}

func (o *serveOptions) examineDirectory() finding {
	dir, err := o.directory()
	if err != nil {
		return wrong("data directory", "give --home or --data", "%v", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return wrong("data directory", "make it, or give --data", "%v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return warning("data directory", "chmod 700 "+dir, "%s can be read by other users of this computer", dir)
	}
	f, err := os.CreateTemp(dir, ".doctor")
	if err != nil {
		return wrong("data directory", "run this as the user the server runs as", "%v", err)
	}
	f.Close()
	os.Remove(f.Name())
	return ok("data directory", "%s", dir)
}

func (o *serveOptions) examineStore(ctx context.Context, now time.Time) []finding {
	s, err := o.open(ctx)
	if err != nil {
		return []finding{wrong("database", "if the schema is newer, run the newer version; else restore a backup", "%v", err)}
	}
	defer s.Close()
	if err := s.Ping(ctx); err != nil {
		return []finding{wrong("database", "is it running, and its disk not full?", "%v", err)}
	}
	accounts, err := s.CountAccounts(ctx)
	if err != nil {
		return []finding{wrong("database", "restore a backup", "%v", err)}
	}
	waiting, err := s.CountQueued(ctx)
	if err != nil {
		return []finding{wrong("database", "restore a backup", "%v", err)}
	}
	list := []finding{ok("database", "%d accounts, %d envelopes waiting", accounts, waiting)}
	invites, err := s.Invites(ctx, now)
	if err == nil && accounts == 0 && len(invites) == 0 && o.webhook == "" && !o.development {
		list = append(list, warning("registration", "messengerd invite", "nobody is registered, and nobody can register: there is no invite"))
	}
	return list
}

func (o *serveOptions) examineCertificate(now time.Time) finding {
	const what = "certificate"
	c := &certificate{file: o.certificate, key: o.key, now: func() time.Time { return now }}
	pair, err := c.get(nil)
	if err != nil {
		return wrong(what, "see --tls-certificate and --tls-key", "%v", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		return wrong(what, "get a new one", "%v", err)
	case now.After(leaf.NotAfter):
		return wrong(what, "renew it; the server reads it again by itself", "expired on %s", leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return wrong(what, "is this computer's clock right?", "not valid before %s", leaf.NotBefore.Format(time.DateOnly))
	case leaf.NotAfter.Sub(now) < 14*24*time.Hour:
		return warning(what, "renew it; the server reads it again by itself", "expires on %s", leaf.NotAfter.Format(time.DateOnly))
	}
	return ok(what, "for %s, until %s", strings.Join(leaf.DNSNames, ", "), leaf.NotAfter.Format(time.DateOnly))
}

func (o *serveOptions) examineSecret() finding {
	info, err := os.Stat(o.webhookSecret)
	if err != nil {
		return wrong("gateway secret", "see --sms-webhook-secret", "%v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return warning("gateway secret", "chmod 600 "+o.webhookSecret, "%s can be read by other users of this computer", o.webhookSecret)
	}
	return ok("gateway secret", "%s", o.webhookSecret)
}

// examineServer asks the server, if one runs.
func (o *serveOptions) examineServer(ctx context.Context) finding {
	const what = "server"
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return wrong(what, "give --listen host:port", "%v", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	a := &healthAsker{address: net.JoinHostPort(host, port), tls: o.certificate != "", acme: len(o.domains) > 0}
	status, err := a.ask(ctx, "/ready")
	if a.acme && err == nil {
		if err := a.reaches(ctx, o.domains[0]); err != nil {
			return wrong(what, "see its log: it says why it has no certificate", "it answers at %s, but not as %s: %v", a.address, o.domains[0], err)
		}
		return ok(what, "answers at %s as %s", a.address, o.domains[0])
	}
	switch {
	case err != nil:
		return warning(what, "messengerd serve", "nobody answers at %s: %v", a.address, err)
	case status != http.StatusOK:
		return wrong(what, "see its log", "it answers at %s, and is not ready: status %d", a.address, status)
	}
	return ok(what, "ready at %s", a.address)
}
