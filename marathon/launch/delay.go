// Package launch decides which instances start where: which apps have to wait because
// they keep failing, whether an offer fits an instance, and what exactly Mesos is told
// to run.
//
// Comes in: offers, waiting instances with their apps, and the time. Goes out: task
// descriptions with the resources taken, or the reasons why not. It does no I/O and
// never looks at a clock; random choices come from a source that is handed in.
package launch

import (
	"time"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// forgetAfter is how long past its longest possible end a delay is kept. The original
// sweeps every 10 s; without this time, a delay that has grown to its maximum would be
// forgotten at the very moment it ends.
const forgetAfter = 10 * time.Second

// Delays hold back the launches of apps whose tasks keep failing. The key is the app
// and its last change of configuration: scaling keeps a delay, a new configuration
// starts without. Original: core/launchqueue/impl/RateLimiter.scala.
type Delays struct {
	entries map[delayKey]*delay
}

type delayKey struct {
	app    id.Path
	config timestamp.Timestamp
}

type delay struct {
	length  time.Duration
	since   time.Time
	longest time.Duration
}

// NewDelays holds back nothing.
func NewDelays() *Delays { return &Delays{entries: map[delayKey]*delay{}} }

func keyOf(a *app.App) delayKey { return delayKey{a.ID, a.VersionInfo.ConfigVersion()} }

func (d *Delays) entry(a *app.App, now time.Time) *delay {
	k := keyOf(a)
	e := d.entries[k]
	if e != nil && now.After(e.since.Add(e.longest+forgetAfter)) {
		delete(d.entries, k)
		return nil
	}
	return e
}

// Failed begins a delay or makes it longer.
func (d *Delays) Failed(a *app.App, now time.Time) {
	longest := a.Backoff.MaxLaunchDelay
	e := d.entry(a, now)
	if e == nil {
		if length := min(a.Backoff.Backoff, longest); length > 0 {
			d.entries[keyOf(a)] = &delay{length: length, since: now, longest: longest}
		}
		return
	}
	e.longest = longest
	e.since = now
	// Compared as floats: the product of a long delay and factor overflows a duration.
	if next := float64(e.length) * a.Backoff.Factor; next < float64(longest) {
		e.length = time.Duration(next)
	} else {
		e.length = longest
	}
}

// Advanced lets a running delay begin anew, with its present length: an instance of
// the app has been launched, the next one has to wait again.
func (d *Delays) Advanced(a *app.App, now time.Time) {
	if e := d.entry(a, now); e != nil {
		e.since = now
	}
}

// Reset forgets the delay of an app.
func (d *Delays) Reset(a *app.App) { delete(d.entries, keyOf(a)) }

// ResetAll forgets the delays of all configurations of an app.
func (d *Delays) ResetAll(appID id.Path) {
	for k := range d.entries {
		if k.app == appID {
			delete(d.entries, k)
		}
	}
}

// Until is the end of the app's delay; zero when there is none, or when it is over.
func (d *Delays) Until(a *app.App, now time.Time) time.Time {
	e := d.entry(a, now)
	if e == nil {
		return time.Time{}
	}
	end := e.since.Add(e.length)
	if !now.Before(end) {
		return time.Time{}
	}
	return end
}

// Sweep drops what is long over; it bounds the memory that apps long gone take.
func (d *Delays) Sweep(now time.Time) {
	for k, e := range d.entries {
		if now.After(e.since.Add(e.longest + forgetAfter)) {
			delete(d.entries, k)
		}
	}
}
