// A consumer of the same events as reservation-worker, as one would write it by hand in Go: four pollers, a goroutine for
// each message, deletes in batches, one gRPC connection, net/http for the rest, one JSON line of log an event.
//
// It is here to be measured beside reservation-worker on the same machine, by the same rig (docs/measurements.md). It has no
// lanes, leases, retries, breakers, dead letters, metrics or shutdown: what it costs is what such a loop costs at least.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	pollers     = 4
	batch       = 10
	linger      = 5 * time.Millisecond
	callMax     = 5 * time.Second
	manySlots   = 400 // for WORKER_CONCURRENCY=auto
	inventory   = "/reservation.v1.InventoryService/"
	reservation = "/internal/reservations/"
)

// A message in its wire form, which saves generated code, and the time that it takes.
type raw struct{ bytes []byte }
type codec struct{}

func (codec) Marshal(v any) ([]byte, error) { return v.(*raw).bytes, nil }
func (codec) Unmarshal(data []byte, v any) error {
	v.(*raw).bytes = append([]byte(nil), data...)
	return nil
}
func (codec) Name() string { return "proto" }

type event struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	TraceID string `json:"trace_id"`
	Detail  struct {
		ReservationID   string   `json:"reservation_id"`
		EventID         string   `json:"event_id"`
		SeatIDs         []string `json:"seat_ids"`
		Quantity        int      `json:"qty"`
		UserID          string   `json:"user_id"`
		PaymentIntentID string   `json:"payment_intent_id"`
		ErrorCode       string   `json:"error_code"`
	} `json:"detail"`
}

type patch struct {
	Status          string `json:"status"`
	OrderID         string `json:"order_id,omitempty"`
	PaymentIntentID string `json:"payment_intent_id,omitempty"`
	ErrorCode       string `json:"error_code,omitempty"`
}

type peers struct {
	inventory *grpc.ClientConn
	http      *http.Client
	base      string
}

func text(message []byte, field protowire.Number, value string) []byte {
	if value == "" {
		return message
	}
	return protowire.AppendString(protowire.AppendTag(message, field, protowire.BytesType), value)
}

// The first field of an answer to CommitReservation.
func orderID(message []byte) string {
	for len(message) > 0 {
		field, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return ""
		}
		message = message[length:]
		if field == 1 && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			return string(value)
		}
		if length = protowire.ConsumeFieldValue(field, kind, message); length < 0 {
			return ""
		}
		message = message[length:]
	}
	return ""
}

func (p *peers) handle(ctx context.Context, body string) error {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return err
	}
	d := &e.Detail
	request := text(text(nil, 1, d.ReservationID), 2, d.EventID)
	for _, seat := range d.SeatIDs {
		request = text(request, 3, seat)
	}
	request = protowire.AppendVarint(protowire.AppendTag(request, 4, protowire.VarintType), uint64(d.Quantity))
	method, end := "ReleaseHold", patch{}
	switch e.Type {
	case "payment.approved":
		method = "CommitReservation"
		request = text(text(request, 5, d.PaymentIntentID), 6, d.UserID)
		end = patch{Status: "CONFIRMED", PaymentIntentID: d.PaymentIntentID}
	case "reservation.expired":
		request = text(request, 5, "EXPIRED")
		end = patch{Status: "EXPIRED"}
	case "payment.failed":
		request = text(request, 5, "FAILED_PAYMENT")
		end = patch{Status: "CANCELLED", ErrorCode: d.ErrorCode}
	default:
		return fmt.Errorf("unknown type %q", e.Type)
	}
	trace := "00-" + e.TraceID + "-0000000000000001-01"
	var answer raw
	traced := metadata.AppendToOutgoingContext(ctx, "traceparent", trace)
	if err := p.inventory.Invoke(traced, inventory+method, &raw{request}, &answer); err != nil {
		return err
	}
	if e.Type == "payment.approved" {
		end.OrderID = orderID(answer.bytes)
	}
	if err := p.end(ctx, d.ReservationID, trace, end); err != nil {
		return err
	}
	slog.Info("handled", "type", e.Type, "id", e.ID, "reservation_id", d.ReservationID, "trace_id", e.TraceID)
	return nil
}

func (p *peers) end(ctx context.Context, id, trace string, end patch) error {
	body, err := json.Marshal(end)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, p.base+reservation+id, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", trace)
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("PATCH: status %d", response.StatusCode)
	}
	var shown struct {
		Status string `json:"status"`
	}
	return json.Unmarshal(answer, &shown)
}

// Deletes what is done, ten at a time or what there is after a while.
func remove(ctx context.Context, queue *sqs.Client, url string, done <-chan string) {
	entries := make([]types.DeleteMessageBatchRequestEntry, 0, batch)
	tick := time.NewTicker(linger)
	for {
		select {
		case receipt := <-done:
			id := strconv.Itoa(len(entries))
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: &receipt})
			if len(entries) < batch {
				continue
			}
		case <-tick.C:
			if len(entries) == 0 {
				continue
			}
		}
		input := sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries}
		if _, err := queue.DeleteMessageBatch(ctx, &input); err != nil {
			slog.Error("delete", "error", err)
		}
		entries = entries[:0]
	}
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	if err := run(context.Background()); err != nil {
		slog.Error("cannot run", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	// As the worker: one attempt a call, and TCP's checksums are enough.
	queue := sqs.NewFromConfig(settings, func(options *sqs.Options) {
		options.Retryer = aws.NopRetryer{}
		options.DisableMessageChecksumValidation = true
	})
	url := os.Getenv("SQS_QUEUE_URL")
	slots, err := strconv.Atoi(os.Getenv("WORKER_CONCURRENCY"))
	if err != nil {
		slots = manySlots
	}
	address := strings.TrimPrefix(os.Getenv("INVENTORY_GRPC_ADDR"), "http://")
	inventory, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{})))
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConns: slots, MaxIdleConnsPerHost: slots}
	p := &peers{inventory, &http.Client{Transport: transport}, os.Getenv("RESERVATION_API_BASE")}
	running, done := make(chan struct{}, slots), make(chan string, slots)
	for range pollers {
		go remove(ctx, queue, url, done)
		go func() {
			for {
				answer, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
					QueueUrl: &url, MaxNumberOfMessages: batch, WaitTimeSeconds: 20,
				})
				if err != nil {
					slog.Error("receive", "error", err)
					time.Sleep(time.Second)
					continue
				}
				for _, message := range answer.Messages {
					running <- struct{}{}
					go func() {
						if err := p.handle(ctx, *message.Body); err != nil {
							slog.Error("handle", "error", err)
						} else {
							done <- *message.ReceiptHandle
						}
						<-running
					}()
				}
			}
		}()
	}
	select {}
}
