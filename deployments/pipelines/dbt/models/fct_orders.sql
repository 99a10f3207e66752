{{ config(
    materialized='incremental',
    unique_key='number' if env_var('UNIQUE_KEY', '') else none
) }}
-- Orders of the last day that is there already are read once more, since some come late.
select number, day, amount from {{ source('raw', 'orders') }}
{% if is_incremental() %}
where day >= (select max(day) from {{ this }})
{% endif %}
