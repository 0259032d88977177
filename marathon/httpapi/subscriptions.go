package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/callback"
)

// Callbacks are the URLs that events are POSTed to.
type Callbacks interface {
	// Subscribers are the URLs, oldest first.
	Subscribers() []string
	// Subscribe and Unsubscribe change them durably and give the JSON of the event that
	// tells of it. Errors are *callback.URLError, callback.ErrTooMany and others.
	Subscribe(ctx context.Context, clientIP, url string) ([]byte, error)
	Unsubscribe(ctx context.Context, clientIP, url string) ([]byte, error)
}

// errNoCallbacks is the original's answer when it was not told to have callbacks.
var errNoCallbacks = badRequest("http event callback system is not running on this Marathon instance. " +
	"Please re-start this instance with\n\"--event_subscriber http_callback\".")

// subscriptions is the resource of releases up to 1.4 (api/v2/EventSubscriptionsResource.scala there).
func (s *server) subscriptions() *resource {
	if s.Callbacks == nil {
		return &resource{otherwise: func(*gin.Context) error { return errNoCallbacks }, anyType: true, anyAnswer: true}
	}
	return &resource{methods: map[string]handler{
		http.MethodGet: s.listSubscribers,
		http.MethodPost: func(c *gin.Context) error {
			return s.changeSubscription(c, s.Callbacks.Subscribe)
		},
		http.MethodDelete: func(c *gin.Context) error {
			return s.changeSubscription(c, s.Callbacks.Unsubscribe)
		},
	}, anyType: true}
}

func (s *server) listSubscribers(c *gin.Context) error {
	w := s.newDocument()
	w.BeginObject()
	w.StringsField("callbackUrls", s.Callbacks.Subscribers())
	w.EndObject()
	return answer(c, w)
}

func (s *server) changeSubscription(c *gin.Context, change func(context.Context, string, string) ([]byte, error)) error {
	told, err := change(c.Request.Context(), remote(c), c.Query("callbackUrl"))
	var wrong *callback.URLError
	switch {
	case errors.As(err, &wrong):
		return &app.ValidationError{Violations: []app.Violation{{Path: "/", Message: wrong.Message}}}
	case errors.Is(err, callback.ErrTooMany):
		return illegalArgument(err.Error())
	case err != nil:
		return err
	}
	httpd.Bytes(c, http.StatusOK, httpd.TypeJSON, told)
	return nil
}
