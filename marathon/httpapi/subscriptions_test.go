package httpapi

import (
	"path/filepath"
	"testing"
	"time"

	"stoa/internal/store"
	"stoa/marathon/callback"
	"stoa/marathon/event"
)

func TestEventSubscriptions(t *testing.T) {
	s, err := store.OpenFile(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	sender, err := callback.New(t.Context(), callback.Config{Store: s, Bus: event.NewBus(1, time.Now), Now: t0.Time})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	a := start(t, func(o *Options) { o.Callbacks = sender })
	const path = "/v2/eventSubscriptions"
	a.want(a.do("GET", path, ""), 200, `{"callbackUrls":[]}`)
	r := a.do("POST", path+"?callbackUrl=http%3A%2F%2F127.0.0.1%3A1%2Fcb", "")
	a.want(r, 200, `{"clientIp":"127.0.0.1","callbackUrl":"http://127.0.0.1:1/cb","eventType":"subscribe_event","timestamp":"`+t0Text+`"}`)
	a.header(r, "Content-Type", "application/json")
	a.want(a.do("GET", path, ""), 200, `{"callbackUrls":["http://127.0.0.1:1/cb"]}`)
	a.want(a.do("POST", path+"?callbackUrl=cb", ""), 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["no protocol: cb"]}]}`)
	a.want(a.do("POST", path, ""), 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["no protocol: "]}]}`)
	a.want(a.do("DELETE", path+"?callbackUrl=http%3A%2F%2F127.0.0.1%3A1%2Fcb", ""), 200, `{"clientIp":"127.0.0.1","callbackUrl":"http://127.0.0.1:1/cb","eventType":"unsubscribe_event","timestamp":"`+t0Text+`"}`)
	a.want(a.do("GET", path, ""), 200, `{"callbackUrls":[]}`)
	a.want(a.do("PUT", path, ""), 405, `{"message":"Method Not Allowed"}`)
}

func TestEventSubscriptionsThatWereNotAskedFor(t *testing.T) {
	a := start(t, nil)
	for _, method := range []string{"GET", "POST", "DELETE"} {
		a.want(a.do(method, "/v2/eventSubscriptions", ""), 400, `{"message":"http event callback system is not running on this Marathon instance. Please re-start this instance with\n\"--event_subscriber http_callback\"."}`)
	}
}
