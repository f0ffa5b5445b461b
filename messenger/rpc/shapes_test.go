package rpc_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Requests as programs for signal-cli write them, and what they may count on in the answer. TIME is any number, TEXT any text.
func TestShapesOfSignalCLI(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, alice := daemon(t, url, invite())
	bobDir, bob := daemon(t, url, invite())
	a, b := dial(t, aliceDir), dial(t, bobDir)
	var said struct{ Timestamp json.Number }
	ask := func(c *rpc.Client, method, params string) (string, error) {
		t.Helper()
		var out json.RawMessage
		err := c.Call(t.Context(), method, json.RawMessage(params), &out)
		return string(out), err
	}
	// What arrives, in the order in which it does.
	envelope := func(c *rpc.Client, with string) string {
		t.Helper()
		for n := range c.Notifications() {
			if n.Method == "receive" && strings.Contains(string(n.Params), with) {
				return string(n.Params)
			}
		}
		t.Fatal("the connection has ended")
		return ""
	}
	same := func(what, got, want string) {
		t.Helper()
		pattern := regexp.QuoteMeta(want)
		pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, "TIME", `\d+`), "TEXT", `[^"]*`)
		if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("%s\n got %s\nwant %s", what, got, want)
		}
	}
	out, err := ask(a, "send", `{"recipient":["`+bob+`"],"message":"hello"}`)
	if err != nil || json.Unmarshal([]byte(out), &said) != nil {
		t.Fatal(out, err)
	}
	same("send", out, `{"timestamp":TIME,"results":[{"recipientAddress":{"number":"`+bob+`"},"type":"SUCCESS"}]}`)
	same("receive", envelope(b, "hello"), `{"account":"`+bob+`","envelope":{"source":"`+alice+`","sourceNumber":"`+alice+`","sourceUuid":null,"sourceName":"","sourceDevice":1,"timestamp":`+said.Timestamp.String()+
		`,"seq":TIME,"dataMessage":{"timestamp":`+said.Timestamp.String()+`,"message":"hello","expiresInSeconds":0,"viewOnce":false}}}`)
	at := said.Timestamp.String()
	from := `{"account":"` + alice + `","envelope":{"source":"` + bob + `","sourceNumber":"` + bob + `","sourceUuid":null,"sourceName":"","sourceDevice":1,"timestamp":TIME,`
	if out, err := ask(b, "sendMessageRequestResponse", `{"recipient":"`+alice+`","type":"accept"}`); err != nil || out != "{}" {
		t.Fatal(out, err)
	}
	same("receive a receipt", envelope(a, "receiptMessage"), from+`"receiptMessage":{"when":TIME,"isDelivery":true,"isRead":false,"isViewed":false,"timestamps":[`+at+`]}}}`)
	if _, err := ask(a, "send", `{"recipient":"`+bob+`","attachment":"data:text/plain;filename=note.txt;base64,aGVsbG8=","quoteTimestamp":`+at+`,"quoteAuthor":"`+alice+`"}`); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Envelope struct {
			Data rpc.DataMessage `json:"dataMessage"`
		}
	}
	if err := json.Unmarshal([]byte(envelope(b, "note.txt")), &got); err != nil || len(got.Envelope.Data.Attachments) != 1 || got.Envelope.Data.Quote == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	file := got.Envelope.Data.Attachments[0]
	if file.ContentType != "text/plain" || file.Size != 5 || got.Envelope.Data.Quote.Text != "hello" || got.Envelope.Data.Quote.Author != alice || got.Envelope.Data.Quote.AuthorNumber != alice {
		t.Errorf("%+v", got.Envelope.Data)
	}
	path := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(path, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	var made struct{ GroupID string }
	out, err = ask(a, "updateGroup", `{"name":"Choir","members":["`+bob+`"]}`)
	if err != nil || json.Unmarshal([]byte(out), &made) != nil {
		t.Fatal(out, err)
	}
	same("updateGroup", out, `{"groupId":"TEXT"}`)
	out, err = ask(a, "send", `{"groupId":"`+made.GroupID+`","message":"sing","attachments":["`+path+`"]}`)
	if err != nil {
		t.Fatal(err)
	}
	same("send to a group", out, `{"timestamp":TIME,"results":[{"recipientAddress":{"number":"`+bob+`"},"groupId":"`+made.GroupID+`","type":"SUCCESS"}]}`)
	same("receive in a group", envelope(b, "sing"), `{"account":"`+bob+`","envelope":{"source":"`+alice+`","sourceNumber":"`+alice+`","sourceUuid":null,"sourceName":"","sourceDevice":1,"timestamp":TIME,"seq":TIME,"dataMessage":{"timestamp":TIME,"message":"sing",`+
		`"expiresInSeconds":0,"viewOnce":false,"groupInfo":{"groupId":"`+made.GroupID+`","groupName":"Choir","type":"DELIVER"},"attachments":[{"contentType":"image/png","filename":"picture.png","id":"TEXT","size":TIME}]}}}`)
	about := func(what string) string {
		return `{"account":"TEXT","envelope":{"source":"TEXT","sourceNumber":"TEXT","sourceUuid":null,"sourceName":"","sourceDevice":1,"timestamp":TIME,"dataMessage":{"timestamp":TIME,"message":"","expiresInSeconds":0,"viewOnce":false,` + what + `}}}`
	}
	group := `{"id":"` + made.GroupID + `","name":"Choir","isMember":true,"isBlocked":false,"messageExpirationTime":0,"members":[{"number":"TEXT"},{"number":"TEXT"}],"admins":[{"number":"` + alice + `"}],"conversation":"TEXT","hasAvatar":false}`
	png := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n and so on"))
	for _, c := range []struct {
		who                  *rpc.Client
		method, params, want string
	}{
		{b, "getAttachment", `{"id":"` + file.ID + `","recipient":"` + alice + `"}`, `{"data":"aGVsbG8="}`},
		{b, "sendReaction", `{"recipient":["` + alice + `"],"emoji":"+","targetAuthor":"` + alice + `","targetTimestamp":` + at + `}`, `{}`},
		{b, "sendReceipt", `{"recipient":"` + alice + `","targetTimestamp":[` + at + `],"type":"read"}`, `{}`},
		{b, "sendTyping", `{"recipient":["` + alice + `"]}`, `{}`},
		{b, "sendTyping", `{"recipient":["` + alice + `"],"stop":true}`, `{}`},
		{b, "listContacts", `{}`, `[{"number":"` + alice + `"TEXT`},
		{b, "listGroups", `{}`, `[` + group + `]`},
		{b, "updateGroup", `{"groupId":"` + made.GroupID + `","avatar":"data:image/png;base64,` + png + `"}`, `{"groupId":"` + made.GroupID + `"}`},
		{b, "getAvatar", `{"groupId":"` + made.GroupID + `"}`, `{"data":"` + png + `","type":"image/png"}`},
		{a, "getUserStatus", `{"recipient":["` + bob + `","+99900000"],"username":["nobody.of.this.name"]}`,
			`[{"recipient":"` + bob + `","number":"` + bob + `","isRegistered":true},{"recipient":"+99900000","number":"+99900000","isRegistered":false},{"recipient":"nobody.of.this.name","isRegistered":false}]`},
		{a, "listIdentities", `{"number":"` + bob + `"}`, `[{"number":"` + bob + `","trustLevel":"TRUSTED_UNVERIFIED","safetyNumber":"TEXT","fingerprint":"TEXT","addedTimestamp":TIME,"scannableSafetyNumber":"TEXT"}]`},
		{a, "trust", `{"recipient":"` + bob + `","trustAllKnownKeys":true}`, `{}`},
		{a, "send", `{"recipient":"` + bob + `","message":"hello, Bob","editTimestamp":` + at + `}`, `{"timestamp":` + at + `,"results":[{"recipientAddress":{"number":"` + bob + `"},"type":"QUEUED"}]}`},
		{a, "updateProfile", `{"givenName":"Alice","familyName":"A."}`, `{}`},
		{a, "remoteDelete", `{"recipient":["` + bob + `"],"targetTimestamp":` + at + `}`, `{}`},
		{b, "block", `{"recipient":["` + alice + `"]}`, `{}`},
		{b, "unblock", `{"recipient":["` + alice + `"],"groupId":["` + made.GroupID + `"]}`, `{}`},
		{a, "listDevices", `{}`, `[{"id":1,"created":TIME,"lastSeen":TIME,"this":true,"signed":true,"createdTimestamp":TIME,"lastSeenTimestamp":TIME}]`},
		{b, "quitGroup", `{"groupId":"` + made.GroupID + `"}`, `{}`},
		{a, "updateConfiguration", `{"typingIndicators":false,"defaultExpiration":3600}`, `{"readReceipts":true,"typingIndicators":false,"defaultExpiration":3600}`},
		{a, "updateConfiguration", `{}`, `{"readReceipts":true,"typingIndicators":false,"defaultExpiration":3600}`},
		{a, "version", `{}`, `{"version":"1.4.0"}`},
	} {
		out, err := ask(c.who, c.method, c.params)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.params, err)
			continue
		}
		if prefix, cut := strings.CutSuffix(c.want, "TEXT"); cut { // the beginning
			out = out[:min(len(out), len(prefix))]
			c.want = prefix
		}
		same(c.method, out, c.want)
		switch params := c.params; {
		case c.method == "sendReaction":
			same("receive a reaction", envelope(a, "reaction"), about(`"reaction":{"emoji":"+","targetAuthor":"`+alice+`","targetAuthorNumber":"`+alice+`","targetSentTimestamp":`+at+`,"isRemove":false}`))
		case c.method == "sendReceipt":
			same("receive that it was read", envelope(a, `"isRead":true`), from+`"receiptMessage":{"when":TIME,"isDelivery":false,"isRead":true,"isViewed":false,"timestamps":[`+at+`]}}}`)
		case c.method == "sendTyping" && !strings.Contains(params, "stop"):
			same("receive that he types", envelope(a, "typingMessage"), from+`"typingMessage":{"action":"STARTED","timestamp":TIME}}}`)
		case c.method == "sendTyping":
			same("receive that he has stopped", envelope(a, "STOPPED"), from+`"typingMessage":{"action":"STOPPED","timestamp":TIME}}}`)
		case c.method == "send":
			same("receive an edit", envelope(b, "editMessage"), `{"account":"`+bob+`","envelope":{"source":"`+alice+`","sourceNumber":"`+alice+`","sourceUuid":null,"sourceName":"","sourceDevice":1,"timestamp":TIME,`+
				`"editMessage":{"targetSentTimestamp":`+at+`,"dataMessage":{"timestamp":TIME,"message":"hello, Bob","expiresInSeconds":0,"viewOnce":false}}}}`)
		case c.method == "remoteDelete": // before she is blocked
			same("receive a deletion", envelope(b, "remoteDelete"), about(`"remoteDelete":{"timestamp":`+at+`}`))
		}
	}
	// What is not there says so, instead of seeming to be done.
	for _, c := range []struct{ method, params, want string }{
		{"send", `{"recipient":"` + bob + `","message":"x","viewOnce":true}`, "viewOnce and sticker are not there: nothing was sent"},
		{"send", `{"recipient":"` + bob + `","attachment":"data:nonsense"}`, `file "data:nonsense", want a path or data:TYPE;filename=NAME;base64,DATA`},
		{"updateProfile", `{"givenName":"A","about":"me"}`, "about and avatar are not there: a profile is a name"},
		{"requestCode", `{"number":"14155550100"}`, `number "14155550100", want one of the form +14155550100`},
		{"requestCode", `{"number":"+14155550100"}`, ""},
		{"changeNumber", `{"number":"+14155550100"}`, "want the code that requestCode has brought to the number"},
		{"changeNumber", `{"number":"alice","code":"123456"}`, `number "alice", want one of the form +14155550100`},
		{"changeNumber", `{"number":"+14155550100","code":"123456"}`, "the server says: wrong code, or one that has expired (403)"},
		{"addDevice", `{"uri":"nonsense"}`, ""},
		{"removeDevice", `{"deviceId":77}`, ""},
		{"getAttachment", `{"id":"1/7"}`, "no attachment 1/7"},
		{"updateGroup", `{"groupId":"` + made.GroupID + `","avatar":"data:image/png;base64,"}`, "avatar: the picture is empty"},
		{"updateGroup", `{"groupId":"` + made.GroupID + `","avatar":"data:image/png;base64,aGVsbG8="}`, "the file is no picture: it looks like text/plain, want PNG, JPEG, GIF or WebP"},
		{"updateGroup", `{"name":"Band","members":["` + bob + `"],"avatar":"data:image/png;base64,aGVsbG8="}`, "the file is no picture: it looks like text/plain, want PNG, JPEG, GIF or WebP"},
		{"getUserStatus", `{}`, "want recipient or username"},
		{"updateConfiguration", `{"defaultExpiration":4000000000}`, "defaultExpiration 4000000000, want at most 315360000 seconds"},
	} {
		if out, err := ask(a, c.method, c.params); err == nil || c.want != "" && err.Error() != c.want {
			t.Errorf("%s %s: %s, %v, want %s", c.method, c.params, out, err, c.want)
		}
	}
	// A program that receives on demand looks into the answer to its subscription.
	if out, err := ask(b, "subscribeReceive", `{}`); err != nil || out != "0" {
		t.Fatal(out, err)
	}
	if _, err := ask(a, "send", `{"recipient":"`+bob+`","message":"on demand"}`); err != nil {
		t.Fatal(err)
	}
	var wrapped struct {
		Subscription *int
		Result       json.RawMessage
	}
	if err := json.Unmarshal([]byte(envelope(b, "on demand")), &wrapped); err != nil || wrapped.Subscription == nil || *wrapped.Subscription != 0 {
		t.Fatalf("%+v, %v", wrapped, err)
	}
	same("receive on demand", string(wrapped.Result), `{"account":"`+bob+`","envelope":{"source":"`+alice+`","sourceNumber":"`+alice+`","sourceUuid":null,"sourceName":"TEXT","sourceDevice":1,"timestamp":TIME,`+
		`"seq":TIME,"dataMessage":{"timestamp":TIME,"message":"on demand","expiresInSeconds":0,"viewOnce":false}}}`)
	if out, err := ask(a, "listGroups", `{}`); err != nil || strings.Count(out, `"conversation"`) != 1 {
		t.Errorf("a refused picture left a group behind: %s, %v", out, err)
	}
}
