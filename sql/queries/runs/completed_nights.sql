SELECT n.business_date FROM {{ nights }} n
WHERE n.status = 'completed' AND n.business_date >= @from::date AND n.business_date <= @to::date
ORDER BY 1
