package stripetest_test

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func Example() {
	now := time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC)
	double := stripetest.New(stripetest.Options{Clock: func() time.Time { return now }, Seed: 1})
	defer double.Close()
	base, err := double.Listen()
	if err != nil {
		log.Fatal(err)
	}
	charge, err := double.CreateCharge(stripetest.ChargeParams{Amount: 10_000, Currency: "usd", Metadata: map[string]string{"purchase_id": "pur_1"}})
	if err != nil {
		log.Fatal(err)
	}
	now = now.Add(48 * time.Hour) // the money becomes available
	payouts, err := double.RunAutomaticPayouts()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(charge.Status, payouts[0].Amount, double.CheckBooks())

	double.SetFaults(stripetest.Fault{Match: stripetest.Match{Path: "/v1/charges", Call: 2}, Kind: stripetest.RateLimit})
	for range 3 {
		request, err := http.NewRequest("GET", base+"/v1/charges?limit=100", nil)
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+double.ReadKey())
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		fmt.Println(response.StatusCode)
	}
	// Output:
	// succeeded 9680 <nil>
	// 200
	// 429
	// 200
}
