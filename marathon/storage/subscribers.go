package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"stoa/internal/store"
)

// subscribersKey is the record of the event subscriptions: a short list, and written
// only when a client asks for it, so that it is one record.
const subscribersKey = "marathon/event-subscribers"

type subscribersRecord struct {
	CallbackURLs []string `json:"callbackUrls"`
}

// Subscribers reads the URLs that events are POSTed to, oldest first.
func Subscribers(ctx context.Context, s store.Store) ([]string, error) {
	var r subscribersRecord
	_, err := get(ctx, s, subscribersKey, &r)
	return r.CallbackURLs, err
}

// PutSubscribers replaces them. They are durable when it returns without an error.
func PutSubscribers(ctx context.Context, s store.Store, urls []string) error {
	value, err := json.Marshal(subscribersRecord{urls})
	if err != nil {
		return fmt.Errorf("storage: encoding %s: %w", subscribersKey, err)
	}
	if _, err := s.Apply(ctx, store.Put(subscribersKey, value)); err != nil {
		return fmt.Errorf("storage: keeping the event subscriptions: %w", err)
	}
	return nil
}
