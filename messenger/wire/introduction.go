package wire

import (
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// Introduction is a verified contact's word about the keys of two people (5). Both fields are judged by package introduction, not here, so that the person
// can be told what is wrong with one: their lengths may be any.
type Introduction struct {
	Statement []byte
	Signature []byte
}

// Introduced is an introduction as own devices tell each other (9.4): one that the device has, or, if the introducer is the account, one it has made.
type Introduced struct {
	Introducer string
	Identity   keys.Public // the introducer's
	Introduction
}

func parseIntroduction(p *pb.Introduction) *Introduction {
	if p == nil {
		return nil
	}
	return &Introduction{p.Statement, p.Signature}
}

func (i *Introduction) proto() *pb.Introduction {
	if i == nil {
		return nil
	}
	return &pb.Introduction{Statement: i.Statement, Signature: i.Signature}
}

func parseIntroduced(p *pb.SyncMessage_Introduced) (i Introduced, err error) {
	if p.Introduction == nil {
		return i, refusal.Because(refusal.InvalidMessage, "own device's introduction: there is none in it")
	}
	i.Introducer, i.Introduction = p.GetIntroducer(), *parseIntroduction(p.Introduction)
	i.Identity, err = keys.ParsePublic(p.IdentityKey)
	return i, err
}

func (i Introduced) proto() *pb.SyncMessage_Introduced {
	return &pb.SyncMessage_Introduced{Introducer: &i.Introducer, IdentityKey: i.Identity.Bytes(), Introduction: i.Introduction.proto()}
}
