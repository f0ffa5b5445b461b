package rpc

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/store"
)

// Door is what stands before an account that is not open: it unlocks it, or makes one.
type Door struct {
	Options client.Options // without Server, which comes with the request
	// Opened is given the account. When it returns, a Server with the account must answer whoever calls next.
	Opened func(*client.Account)
	// Secret is told the passphrase that the account has been opened with; nil: nobody wants to know.
	Secret func(passphrase string)

	mu     sync.Mutex
	opened bool // mu
}

// doorMethods is the table of what answers without an open account. Each of those that open one ends the usefulness of this connection: connect again.
func doorMethods() map[string]method {
	return map[string]method{
		"methods":       call((*conn).listMethods),
		"version":       call((*conn).version),
		"status":        call((*conn).doorStatus),
		"unlock":        call((*conn).unlock),
		"requestCode":   call((*conn).requestCode),
		"register":      call((*conn).register),
		"link":          call((*conn).link),
		"confirmDevice": call((*conn).confirmDevice),
		"restore":       call((*conn).restore),
	}
}

func (c *conn) doorStatus(nothing) (any, error) {
	state := "none"
	if store.Exists(c.Door.Options.Dir) {
		state = "locked"
	}
	return map[string]string{"state": state, "version": c.Version}, nil
}

// enter runs what opens the account with a passphrase, one at a time and not again.
func (d *Door) enter(passphrase string, open func() (*client.Account, error)) error {
	if !d.mu.TryLock() {
		return userError("another one is under way: wait until it has ended")
	}
	defer d.mu.Unlock()
	if d.opened {
		return userError("the account is open already: connect again")
	}
	a, err := open()
	if err != nil {
		return err
	}
	d.opened = true
	if d.Secret != nil {
		d.Secret(passphrase)
	}
	d.Opened(a)
	return nil
}

// fresh is enter where there must not be an account yet. It returns the number.
func (d *Door) fresh(passphrase string, open func(client.Options, []byte) (*client.Account, error)) (number string, err error) {
	if passphrase == "" {
		return "", userError("want a passphrase: it locks what is kept on this computer")
	}
	err = d.enter(passphrase, func() (*client.Account, error) {
		if store.Exists(d.Options.Dir) {
			return nil, userError("there is an account on this computer already: unlock it")
		}
		o := d.Options
		o.Cost = store.Usual()
		a, err := open(o, []byte(passphrase))
		if err != nil {
			return nil, err
		}
		own, err := a.Own(context.Background())
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		number = own.Number
		return a, nil
	})
	return number, err
}

func (c *conn) unlock(p struct {
	Passphrase string `json:"passphrase"`
}) (any, error) {
	return nil, c.Door.enter(p.Passphrase, func() (*client.Account, error) {
		a, err := client.Open(c.ctx, c.Door.Options, []byte(p.Passphrase))
		if errors.Is(err, store.ErrPassphrase) {
			return nil, &Error{Code: CodeLocked, Message: err.Error(), Refusal: true}
		}
		return a, err
	})
}

// at says which server an account is made on.
type at struct {
	Server string `json:"server"`
	CA     string `json:"ca"` // PEM, instead of the system's authorities
	Proxy  string `json:"proxy"`
}

func (s at) options() (remote.Options, error) {
	if s.Server == "" {
		return remote.Options{}, userError("want server, such as https://chat.example.org")
	}
	o := remote.Options{URL: s.Server, Proxy: s.Proxy}
	if s.CA != "" {
		o.CA = []byte(s.CA)
	}
	return o, nil
}

// requestCode has a code brought to a number, by sms or voice.
func (c *conn) requestCode(p struct {
	at
	Number string `json:"number"`
	Voice  bool   `json:"voice"`
}) (any, error) {
	server, err := p.options()
	if err != nil {
		return nil, err
	}
	transport := "sms"
	if p.Voice {
		transport = "voice"
	}
	_, err = client.RequestCode(c.ctx, server, transport, p.Number)
	return nil, err
}

// register makes an account with an invite, or with a number and the code that was brought to it.
func (c *conn) register(p struct {
	at
	Passphrase string `json:"passphrase"`
	Invite     string `json:"invite"`
	Number     string `json:"number"`
	Code       string `json:"code"`
	Pin        string `json:"pin"`
}) (any, error) {
	server, err := p.options()
	if err != nil {
		return nil, err
	}
	if (p.Invite == "") == (p.Number == "") {
		return nil, userError("want invite or number, one of them")
	}
	number, err := c.Door.fresh(p.Passphrase, func(o client.Options, passphrase []byte) (*client.Account, error) {
		o.Server = server
		return client.Register(c.ctx, o, passphrase, client.Registration{Invite: p.Invite, Number: p.Number, Code: p.Code, Pin: p.Pin})
	})
	return map[string]string{"number": number}, err
}

// link makes this a further device. The text of the QR code comes as a notification "linkCode" {uri}; then number and six digits as "confirmDevice"
// {id, number, digits}, which the person compares with the other screen, and the method confirmDevice {id, accept} answers.
func (c *conn) link(p struct {
	at
	Passphrase string `json:"passphrase"`
	Name       string `json:"name"`
	Draft      bool   `json:"draft"`
}) (any, error) {
	server, err := p.options()
	if err != nil {
		return nil, err
	}
	number, err := c.Door.fresh(p.Passphrase, func(o client.Options, passphrase []byte) (*client.Account, error) {
		o.Server = server
		return client.Link(c.ctx, o, passphrase, client.Linking{Name: p.Name, Draft: p.Draft,
			Show: func(code string) error {
				c.notify("linkCode", map[string]string{"uri": code})
				return nil
			},
			Confirm: func(number, digits string) (bool, error) {
				return c.confirm(map[string]string{"number": number, "digits": digits})
			}})
	})
	return map[string]string{"number": number}, err
}

// restore makes the account of a backup again.
func (c *conn) restore(p struct {
	Path       string `json:"path"`
	Words      string `json:"recoveryWords"`
	Passphrase string `json:"passphrase"`
}) (any, error) {
	if !filepath.IsAbs(p.Path) {
		return nil, userError("path %q, want an absolute one", p.Path)
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, userError("%v", err)
	}
	defer f.Close()
	return c.Restore(c.ctx, f, p.Words, p.Passphrase)
}

// Restore makes the account of a backup that is read from src. {number, messages}.
func (s *Server) Restore(ctx context.Context, src io.ReadSeeker, words, passphrase string) (any, error) {
	if s.Account != nil {
		return nil, userError("there is an account on this computer already")
	}
	seed, err := archive.ParseWords(words)
	if err != nil {
		return nil, userError("%v", err)
	}
	messages := 0
	number, err := s.Door.fresh(passphrase, func(o client.Options, passphrase []byte) (a *client.Account, err error) {
		a, messages, err = client.Restore(ctx, o, passphrase, src, seed)
		return a, err
	})
	return map[string]any{"number": number, "messages": messages}, err
}
