package rpc

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/countersign-project/countersign/messenger/client/remote"
)

// Network is how the account reaches its server, and whether it does.
type Network struct {
	Server string `json:"server"`
	// Authorities are those that alone are trusted for the server; empty: the system's are.
	Authorities []Authority `json:"authorities"`
	Proxy       string      `json:"proxy"` // without a password; empty: directly
	Connected   bool        `json:"connected"`
	Why         string      `json:"why,omitempty"` // there is no connection
}

// Authority is a certificate that is trusted instead of the system's.
type Authority struct {
	Subject string `json:"subject"`
	SHA256  string `json:"sha256"`  // of the certificate, hexadecimal
	Expires int64  `json:"expires"` // milliseconds
}

// updateNetwork changes what is given, and answers what holds; with nothing given it only answers. An empty ca stands for the system's authorities, an
// empty proxy for none. The new way is tried first, unless force is set.
func (c *conn) updateNetwork(p struct {
	Server *string `json:"server"`
	CA     *string `json:"ca"` // PEM
	Proxy  *string `json:"proxy"`
	Force  bool    `json:"force"`
}) (any, error) {
	o := c.Account.Network()
	if p.Server != nil {
		o.URL = *p.Server
	}
	if p.CA != nil {
		o.CA = []byte(*p.CA)
	}
	if p.Proxy != nil {
		o.Proxy = *p.Proxy
	}
	if p.Server != nil || p.CA != nil || p.Proxy != nil {
		if err := c.Account.SetNetwork(c.ctx, o, p.Force); err != nil {
			return nil, err
		}
	}
	return c.network(c.Account.Network())
}

func (c *conn) network(o remote.Options) (Network, error) {
	out := Network{Server: o.URL, Authorities: []Authority{}, Proxy: o.ShownProxy(), Connected: c.Account.Connected(), Why: c.Account.Offline()}
	list, err := o.Authorities()
	for _, one := range list {
		sum := sha256.Sum256(one.Raw)
		out.Authorities = append(out.Authorities, Authority{one.Subject.String(), hex.EncodeToString(sum[:]), one.NotAfter.UnixMilli()})
	}
	return out, err
}
