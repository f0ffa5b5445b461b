package rpc

import (
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/directory"
)

// codeFor has a code brought to a number that the account is to move to.
func (c *conn) codeFor(p struct {
	Number string `json:"number"`
	Voice  bool   `json:"voice"`
}) (any, error) {
	if !directory.ValidNumber(p.Number) {
		return nil, userError("number %.40q, want one of the form +14155550100", p.Number)
	}
	transport := "sms"
	if p.Voice {
		transport = "voice"
	}
	_, err := client.RequestCode(c.ctx, c.Account.Network(), transport, p.Number)
	return nil, err
}

// changeNumber moves the account to another number, with the code that was brought there.
func (c *conn) changeNumber(p struct {
	Number string `json:"number"`
	Code   string `json:"code"`
}) (any, error) {
	switch {
	case !directory.ValidNumber(p.Number):
		return nil, userError("number %.40q, want one of the form +14155550100", p.Number)
	case p.Code == "":
		return nil, userError("want the code that requestCode has brought to the number")
	}
	if err := c.Account.ChangeNumber(c.ctx, p.Number, p.Code); err != nil {
		return nil, err
	}
	return map[string]string{"number": p.Number}, nil
}
