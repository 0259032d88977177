package event

import "stoa/marathon/timestamp"

// Subscribe tells that events are POSTed to a URL from now on.
type Subscribe struct{ ClientIP, CallbackURL string }

// Type is subscribe_event.
func (Subscribe) Type() string { return TypeSubscribe }

func (e Subscribe) body(w *writer, at timestamp.Timestamp) {
	w.StringField("clientIp", e.ClientIP)
	w.StringField("callbackUrl", e.CallbackURL)
	w.trailer(e, at)
}

// Unsubscribe tells that events are not POSTed to a URL any more.
type Unsubscribe struct{ ClientIP, CallbackURL string }

// Type is unsubscribe_event.
func (Unsubscribe) Type() string { return TypeUnsubscribe }

func (e Unsubscribe) body(w *writer, at timestamp.Timestamp) {
	w.StringField("clientIp", e.ClientIP)
	w.StringField("callbackUrl", e.CallbackURL)
	w.trailer(e, at)
}
