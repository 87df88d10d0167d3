{{ staging('commissioned_receipt') }}
