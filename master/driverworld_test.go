package master

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/auth/crammd5"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/driverpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
)

// fakeDriver is a process `scheduler-<n>` that says what a test has it say, through a
// real transport: a v0 scheduler driver.
type fakeDriver struct {
	t         *testing.T
	transport *libprocess.Transport
	self      libprocess.UPID
	master    libprocess.UPID
	inbox     chan libprocess.Message
	exited    chan libprocess.UPID
	stop      func()
	// id is that of the framework, once it has one.
	id *mesospb.FrameworkID
	// proof is the process that proves who the driver is, if a test has one.
	proof *authenticatee
}

// startDriver starts a driver with a transport of its own; an empty id is one like
// libmesos makes.
func startDriver(t *testing.T, m *testMaster, id string) *fakeDriver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return driverAt(t, m, id, listener)
}

func driverAt(t *testing.T, m *testMaster, id string, listener net.Listener) *fakeDriver {
	d := &fakeDriver{
		t: t, transport: libprocess.New(libprocess.Config{Listener: listener}), master: m.upid(),
		inbox: make(chan libprocess.Message, 10000), exited: make(chan libprocess.UPID, 10),
	}
	if id == "" {
		id = "scheduler-f3ef8913-6209-4ad2-9923-24e0ca639841"
	}
	d.self = d.transport.Spawn(id, d)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = d.transport.Run(ctx); close(done) }()
	d.stop = func() { cancel(); <-done }
	t.Cleanup(d.stop)
	// A driver links to each master it detects.
	d.transport.Link(d.self, d.master)
	return d
}

func (d *fakeDriver) Receive(m libprocess.Message) { d.inbox <- m }
func (d *fakeDriver) Exited(u libprocess.UPID)     { d.exited <- u }

func (d *fakeDriver) send(m proto.Message) { d.transport.SendProto(d.self, d.master, m) }

// call sends a call as the framework.
func (d *fakeDriver) call(c *driverpb.Call) {
	c.FrameworkId = d.id
	d.send(c)
}

func (d *fakeDriver) next() libprocess.Message {
	d.t.Helper()
	select {
	case m := <-d.inbox:
		if m.From != d.master {
			d.t.Errorf("%s is from %s, drivers drop what is not from the leading master", m.Name, m.From)
		}
		return m
	case <-time.After(deadline):
		d.t.Fatal("no message came to the driver")
	}
	panic("unreachable")
}

// expect waits for a message of the type of into. Nothing but offers and rescinds may
// come before it.
func (d *fakeDriver) expect(into proto.Message) {
	d.t.Helper()
	name := string(into.ProtoReflect().Descriptor().FullName())
	for {
		m := d.next()
		switch m.Name {
		case name:
			proto.Reset(into)
			if err := proto.Unmarshal(m.Body, into); err != nil {
				d.t.Fatal(err)
			}
			return
		case "mesos.internal.ResourceOffersMessage", "mesos.internal.RescindResourceOfferMessage":
			// These come when they come.
		default:
			d.t.Fatalf("%s came instead of %s: %q", m.Name, name, m.Body)
		}
	}
}

func (d *fakeDriver) expectError(want string) {
	d.t.Helper()
	var m internalpb.FrameworkErrorMessage
	d.expect(&m)
	if m.GetMessage() != want {
		d.t.Errorf("error %q, want %q", m.GetMessage(), want)
	}
}

// conversation is a recorded one between a master, an agent and a v0 driver, of which
// the test plays the last two.
type conversation struct {
	Recorded string
	// Replace is what differs in every run: ids, and the ports of addresses.
	Replace map[string]string
	Ports   map[uint32]string
	Steps   []struct {
		From    string
		To      string
		Name    string
		BodyHex string `json:"body_hex"`
	}

	replacer *strings.Replacer
	offers   map[string]string // by the recorded id
}

func readConversation(t *testing.T, name string) *conversation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{offers: make(map[string]string)}
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// here is a recorded message with the ids and ports of this run.
func (c *conversation) here(t *testing.T, m *testMaster, a *fakeAgent, d *fakeDriver, name, bodyHex string) proto.Message {
	t.Helper()
	if c.replacer == nil {
		now := strings.NewReplacer("{master}", m.Info().GetId(), "{master port}", fmt.Sprint(m.Address().Port()),
			"{agent port}", a.port(), "{driver port}", fmt.Sprint(d.self.Addr.Port()))
		var pairs []string
		// A framework's id begins with its master's: the longer one goes first.
		for _, before := range slices.Backward(slices.Sorted(maps.Keys(c.Replace))) {
			pairs = append(pairs, before, now.Replace(c.Replace[before]))
		}
		c.replacer = strings.NewReplacer(pairs...)
	}
	p := message(t, name, bodyHex)
	body, err := hex.DecodeString(bodyHex)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := (proto.MarshalOptions{Deterministic: true}).Marshal(p); err != nil || string(again) != string(body) {
		t.Fatalf("%s: our bytes of it are not the recorded ones: %v", name, err)
	}
	change(p.ProtoReflect(), func(field protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
		switch v := v.Interface().(type) {
		case string:
			if offer, ok := c.offers[v]; ok {
				return protoreflect.ValueOfString(offer)
			}
			return protoreflect.ValueOfString(c.replacer.Replace(v))
		case uint32:
			if field.Name() == "port" && c.Ports[v] == "master" {
				return protoreflect.ValueOfUint32(uint32(m.Address().Port()))
			}
		case int32:
			if field.Name() == "port" && c.Ports[uint32(v)] == "master" {
				return protoreflect.ValueOfInt32(int32(m.Address().Port()))
			}
			if field.Name() == "port" && c.Ports[uint32(v)] == "agent" {
				return protoreflect.ValueOfInt32(int32(a.address().Port()))
			}
		}
		return v
	})
	return p
}

// change replaces the scalars in a message and in what is below it.
func change(m protoreflect.Message, with func(protoreflect.FieldDescriptor, protoreflect.Value) protoreflect.Value) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsList():
			for i := range v.List().Len() {
				if field.Message() != nil {
					change(v.List().Get(i).Message(), with)
				} else {
					v.List().Set(i, with(field, v.List().Get(i)))
				}
			}
		case field.IsMap():
		case field.Message() != nil:
			change(v.Message(), with)
		default:
			m.Set(field, with(field, v))
		}
		return true
	})
}

// replay plays the conversation and compares what the master says, to each in order, as
// bytes.
func (c *conversation) replay(t *testing.T, m *testMaster, a *fakeAgent, d *fakeDriver) {
	t.Helper()
	for i, step := range c.Steps {
		p := c.here(t, m, a, d, step.Name, step.BodyHex)
		var got libprocess.Message
		switch {
		case step.From == "authenticatee":
			d.authenticatee().say(p)
			continue
		case step.To == "authenticatee":
			got = d.authenticatee().next(p)
		case step.From == "agent":
			a.send(p)
			continue
		case step.From == "driver":
			d.send(p)
			continue
		case step.To == "agent":
			got = a.next()
		case step.Name == "mesos.internal.ResourceOffersMessage":
			recorded := message(t, step.Name, step.BodyHex).(*internalpb.ResourceOffersMessage)
			c.offers[recorded.Offers[0].Id.GetValue()] = d.awaitOffer(p.(*internalpb.ResourceOffersMessage))
			continue
		default:
			for got = d.next(); got.Name == "mesos.internal.ResourceOffersMessage"; got = d.next() {
				d.declineAll(got)
			}
		}
		if got.Name != step.Name || got.From != m.upid() && step.To != "authenticatee" {
			t.Fatalf("step %d: the %s got %s from %s, not %s", i, step.To, got.Name, got.From, step.Name)
		}
		compare(t, fmt.Sprint("step ", i), p, got.Body)
	}
}

func compare(t *testing.T, what string, want proto.Message, body []byte) {
	t.Helper()
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(bytes) == string(body) {
		return
	}
	have := want.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(body, have); err != nil {
		t.Fatal(err)
	}
	t.Errorf("%s: %s has other bytes (-want +got):\n%s", what, want.ProtoReflect().Descriptor().Name(), cmp.Diff(want, have, protocmp.Transform()))
}

// awaitOffer waits for an offer that is as the recorded one and returns its id. When
// resources come free together is a matter of time: offers of less are declined, without
// a filter.
func (d *fakeDriver) awaitOffer(want *internalpb.ResourceOffersMessage) string {
	d.t.Helper()
	all := resources.New(want.Offers[0].Resources...)
	for {
		m := d.next()
		if m.Name != "mesos.internal.ResourceOffersMessage" {
			d.t.Fatalf("%s came instead of offers", m.Name)
		}
		var have internalpb.ResourceOffersMessage
		if err := proto.Unmarshal(m.Body, &have); err != nil {
			d.t.Fatal(err)
		}
		if len(have.Offers) != 1 || !resources.New(have.Offers[0].Resources...).Contains(all) {
			d.declineAll(m)
			continue
		}
		want.Offers[0].Id = have.Offers[0].Id
		compare(d.t, "offers", want, m.Body)
		return have.Offers[0].Id.GetValue()
	}
}

func (d *fakeDriver) declineAll(m libprocess.Message) {
	d.t.Helper()
	var offers internalpb.ResourceOffersMessage
	if err := proto.Unmarshal(m.Body, &offers); err != nil {
		d.t.Fatal(err)
	}
	if len(offers.Offers) != len(offers.Pids) {
		d.t.Fatalf("%d offers with %d addresses, drivers end at that", len(offers.Offers), len(offers.Pids))
	}
	for _, o := range offers.Offers {
		d.decline(o, 0)
	}
}

func (d *fakeDriver) decline(o *mesospb.Offer, refuse float64) {
	d.call(&driverpb.Call{
		Type: schedulerpb.Call_DECLINE.Enum(),
		Decline: &schedulerpb.Call_Decline{
			OfferIds: []*mesospb.OfferID{o.Id}, Filters: &mesospb.Filters{RefuseSeconds: &refuse},
		},
	})
}

// authenticatee is a driver's process `crammd5-authenticatee(1)`.
type authenticatee struct {
	t         *testing.T
	transport *libprocess.Transport
	self      libprocess.UPID
	// peer is whom it talks to: the master, then the session it was given.
	peer      libprocess.UPID
	secret    string
	challenge []byte
	inbox     chan libprocess.Message
}

func (d *fakeDriver) authenticatee() *authenticatee {
	if d.proof == nil {
		d.proof = &authenticatee{t: d.t, transport: d.transport, peer: d.master, inbox: make(chan libprocess.Message, 100)}
		d.proof.self = d.transport.Spawn("crammd5-authenticatee(1)", d.proof)
	}
	return d.proof
}

func (x *authenticatee) Receive(m libprocess.Message) { x.inbox <- m }
func (x *authenticatee) Exited(libprocess.UPID)       {}

// say sends a recorded message, with the answer to this run's challenge.
func (x *authenticatee) say(p proto.Message) {
	if step, ok := p.(*internalpb.AuthenticationStepMessage); ok {
		principal, _, _ := strings.Cut(string(step.Data), " ")
		step.Data = []byte(principal + " " + crammd5.Digest(x.secret, x.challenge))
	}
	x.transport.SendProto(x.self, x.peer, p)
}

var challengeForm = regexp.MustCompile(`^<[0-9]+\.[0-9]+@[^<>]+>$`)

// next waits for the next message. A challenge that has the right form becomes the
// recorded one.
func (x *authenticatee) next(want proto.Message) libprocess.Message {
	x.t.Helper()
	select {
	case m := <-x.inbox:
		if !strings.HasPrefix(m.From.ID, "crammd5-authenticator-session(") {
			x.t.Errorf("%s is from %s", m.Name, m.From)
		}
		x.peer = m.From
		step, ok := want.(*internalpb.AuthenticationStepMessage)
		if got := new(internalpb.AuthenticationStepMessage); ok && proto.Unmarshal(m.Body, got) == nil && challengeForm.Match(got.Data) {
			x.challenge, step.Data = got.Data, got.Data
		}
		return m
	case <-time.After(deadline):
		x.t.Fatal("no message came to the authenticatee")
	}
	panic("unreachable")
}

// port is the agent's; a nil agent has none.
func (a *fakeAgent) port() string {
	if a == nil {
		return ""
	}
	return fmt.Sprint(a.address().Port())
}
