"""Payment links on Adyen's own page (Checkout API v72), and standard webhooks. docs/connectors/adyen.md has how to set it up,
and what is not confirmed.

- Webhooks alone tell what was paid, captured, cancelled or refunded: Adyen can be asked how far a page is, and not for a
  payment. Without its webhook a paid payment stays `pending`, and is shown to an operator after two weeks.
- Captures, cancellations and refunds are taken in and stay `pending` until their webhook comes.
- A refused card ends nothing: the shopper may try again on the page until its time is over (`page_minutes`).
- The shopper comes back by a button on Adyen's page; there is no address of its own for giving up.
- An account captures a payment once unless it has multiple partial captures (`captures_in_parts`): what the first capture
  leaves goes back.
- Addresses are passed on whole, with the house number apart; lines where they come to the amount; a name of two words or
  more; a phone number with its country code; metadata of up to 20 characters for a name and 80 for a value, 18 of them.
- Chilean pesos and krónur are sent with two decimals; escudos of Cape Verde and rupiahs have whole units alone, and any
  other amount goes to the next PSP.
- A page can not be looked up by our reference, so an opening that was never answered is repeated with its key, for three and
  a half days, and so are captures, cancellations and refunds; after that an operator finds out in the Customer Area.
"""

from chalicelib.connectors.adyen.connector import AdyenConnector

CONNECTOR = AdyenConnector

__all__ = ["CONNECTOR", "AdyenConnector"]
