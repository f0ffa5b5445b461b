package main

import "slices"

// systemNames are the servers that --systems can name.
func systemNames() []string {
	return []string{"messengerd", "ejabberd", "prosody", "mosquitto", "echo"}
}

// chosen returns the systems of a work. Some have further ones, for what they show: our server with its own receipts, and with TLS;
// and XMPP without any acknowledgement.
func (o *options) chosen(work string) []system {
	all := map[string][]system{
		"messengerd": {&messengerd{program: o.program, dialer: newDialer()}},
		"ejabberd":   {&ejabberd{}}, "prosody": {&prosody{}}, "mosquitto": {&mosquitto{}}, "echo": {&echo{dialer: newDialer()}},
	}
	if work == workPairs {
		all["messengerd"] = append(all["messengerd"], &messengerd{program: o.program, dialer: newDialer(), receipts: true})
	}
	if work == workPairs || work == workIdle {
		all["messengerd"] = append(all["messengerd"], &messengerd{program: o.program, dialer: newDialer(), tls: true})
	}
	if work == workPairs || work == workGroups {
		all["ejabberd"] = append(all["ejabberd"], &ejabberd{xmpp{bare: true}})
		all["prosody"] = append(all["prosody"], &prosody{xmpp{bare: true}})
	}
	if work != workPairs && work != workRate && work != workIdle {
		delete(all, "echo") // it has nobody else to send to
	}
	var list []system
	for _, name := range systemNames() {
		if slices.Contains(o.systems, name) {
			list = append(list, all[name]...)
		}
	}
	return list
}
